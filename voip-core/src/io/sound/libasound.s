# Stand-ins for the functions of libasound that the crates `alsa` and `cpal` may call (x86-64, System V).
# The linker finds them before the library itself, which it then leaves out. Each jumps through a slot of
# its own; an empty slot is filled first, by `find` in libasound.rs, with what dlsym gives for
# the name. Sections of their own let the linker drop those that nothing calls; hidden, they
# are seen by this program or library alone and never by libasound itself.

.macro on_demand name
    .section .text.voip_on_demand.\name, "ax", @progbits
    .p2align 4
    .globl \name
    .hidden \name
    .type \name, @function
\name:
    movq .Lslot_\name(%rip), %r11
    testq %r11, %r11
    jz 1f
    jmpq *%r11
1:  leaq .Lslot_\name(%rip), %r11
    jmp voip_libasound_fill
    .size \name, . - \name

    .section .data.voip_on_demand.\name, "aw", @progbits
    .p2align 3
.Lslot_\name:
    .quad 0
    .asciz "\name"
.endm

.macro on_demand_each names:vararg
    .irp name, \names
    on_demand \name
    .endr
.endm

# Keeps the caller's arguments, asks for the address, and goes there. %r11 points to the slot.
    .section .text.voip_libasound_fill, "ax", @progbits
    .p2align 4
    .globl voip_libasound_fill
    .hidden voip_libasound_fill
    .type voip_libasound_fill, @function
voip_libasound_fill:
    .cfi_startproc
    pushq %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    movq %rsp, %rbp
    .cfi_def_cfa_register %rbp
    subq $192, %rsp
    movq %rdi, 128(%rsp)
    movq %rsi, 136(%rsp)
    movq %rdx, 144(%rsp)
    movq %rcx, 152(%rsp)
    movq %r8, 160(%rsp)
    movq %r9, 168(%rsp)
    movq %rax, 176(%rsp)
    movups %xmm0, (%rsp)
    movups %xmm1, 16(%rsp)
    movups %xmm2, 32(%rsp)
    movups %xmm3, 48(%rsp)
    movups %xmm4, 64(%rsp)
    movups %xmm5, 80(%rsp)
    movups %xmm6, 96(%rsp)
    movups %xmm7, 112(%rsp)
    movq %r11, %rdi
    call {find}
    movq %rax, %r11
    movups (%rsp), %xmm0
    movups 16(%rsp), %xmm1
    movups 32(%rsp), %xmm2
    movups 48(%rsp), %xmm3
    movups 64(%rsp), %xmm4
    movups 80(%rsp), %xmm5
    movups 96(%rsp), %xmm6
    movups 112(%rsp), %xmm7
    movq 128(%rsp), %rdi
    movq 136(%rsp), %rsi
    movq 144(%rsp), %rdx
    movq 152(%rsp), %rcx
    movq 160(%rsp), %r8
    movq 168(%rsp), %r9
    movq 176(%rsp), %rax
    leave
    .cfi_restore %rbp
    .cfi_def_cfa %rsp, 8
    jmpq *%r11
    .cfi_endproc
    .size voip_libasound_fill, . - voip_libasound_fill

on_demand_each snd_card_get_index, snd_card_get_longname, snd_card_get_name, snd_card_next, snd_config_save, snd_config_unref
on_demand_each snd_config_update, snd_config_update_free_global, snd_config_update_ref, snd_ctl_card_info
on_demand_each snd_ctl_card_info_free, snd_ctl_card_info_get_card, snd_ctl_card_info_get_components
on_demand_each snd_ctl_card_info_get_driver, snd_ctl_card_info_get_id, snd_ctl_card_info_get_longname
on_demand_each snd_ctl_card_info_get_mixername, snd_ctl_card_info_get_name, snd_ctl_card_info_malloc, snd_ctl_close
on_demand_each snd_ctl_convert_from_dB, snd_ctl_convert_to_dB, snd_ctl_elem_id_get_device, snd_ctl_elem_id_get_index
on_demand_each snd_ctl_elem_id_get_interface, snd_ctl_elem_id_get_name, snd_ctl_elem_id_get_numid
on_demand_each snd_ctl_elem_id_get_subdevice, snd_ctl_elem_id_set_device, snd_ctl_elem_id_set_index
on_demand_each snd_ctl_elem_id_set_interface, snd_ctl_elem_id_set_name, snd_ctl_elem_id_set_numid
on_demand_each snd_ctl_elem_id_set_subdevice, snd_ctl_elem_id_sizeof, snd_ctl_elem_info_free, snd_ctl_elem_info_get_count
on_demand_each snd_ctl_elem_info_get_type, snd_ctl_elem_info_malloc, snd_ctl_elem_list, snd_ctl_elem_list_alloc_space
on_demand_each snd_ctl_elem_list_free, snd_ctl_elem_list_free_space, snd_ctl_elem_list_get_count
on_demand_each snd_ctl_elem_list_get_device, snd_ctl_elem_list_get_id, snd_ctl_elem_list_get_index
on_demand_each snd_ctl_elem_list_get_interface, snd_ctl_elem_list_get_name, snd_ctl_elem_list_get_numid
on_demand_each snd_ctl_elem_list_get_subdevice, snd_ctl_elem_list_get_used, snd_ctl_elem_list_malloc, snd_ctl_elem_lock
on_demand_each snd_ctl_elem_read, snd_ctl_elem_set_bytes, snd_ctl_elem_unlock, snd_ctl_elem_value_clear
on_demand_each snd_ctl_elem_value_free, snd_ctl_elem_value_get_boolean, snd_ctl_elem_value_get_byte
on_demand_each snd_ctl_elem_value_get_bytes, snd_ctl_elem_value_get_enumerated, snd_ctl_elem_value_get_integer
on_demand_each snd_ctl_elem_value_get_integer64, snd_ctl_elem_value_malloc, snd_ctl_elem_value_set_boolean
on_demand_each snd_ctl_elem_value_set_byte, snd_ctl_elem_value_set_enumerated, snd_ctl_elem_value_set_id
on_demand_each snd_ctl_elem_value_set_integer, snd_ctl_elem_value_set_integer64, snd_ctl_elem_write
on_demand_each snd_ctl_event_elem_get_id, snd_ctl_event_elem_get_mask, snd_ctl_event_free, snd_ctl_event_malloc
on_demand_each snd_ctl_get_dB_range, snd_ctl_open, snd_ctl_pcm_info, snd_ctl_pcm_next_device, snd_ctl_poll_descriptors
on_demand_each snd_ctl_poll_descriptors_count, snd_ctl_poll_descriptors_revents, snd_ctl_rawmidi_info
on_demand_each snd_ctl_rawmidi_next_device, snd_ctl_read, snd_ctl_subscribe_events, snd_ctl_wait, snd_device_name_free_hint
on_demand_each snd_device_name_get_hint, snd_device_name_hint, snd_hctl_close, snd_hctl_elem_get_id, snd_hctl_elem_info
on_demand_each snd_hctl_elem_next, snd_hctl_elem_read, snd_hctl_elem_write, snd_hctl_find_elem, snd_hctl_first_elem
on_demand_each snd_hctl_handle_events, snd_hctl_load, snd_hctl_open, snd_hctl_poll_descriptors
on_demand_each snd_hctl_poll_descriptors_count, snd_hctl_poll_descriptors_revents, snd_hctl_wait, snd_lib_error_set_local
on_demand_each snd_midi_event_decode, snd_midi_event_encode, snd_midi_event_free, snd_midi_event_init, snd_midi_event_new
on_demand_each snd_midi_event_no_status, snd_midi_event_reset_decode, snd_midi_event_reset_encode
on_demand_each snd_midi_event_resize_buffer, snd_mixer_attach, snd_mixer_close, snd_mixer_elem_get_type, snd_mixer_elem_next
on_demand_each snd_mixer_find_selem, snd_mixer_first_elem, snd_mixer_handle_events, snd_mixer_load, snd_mixer_open
on_demand_each snd_mixer_poll_descriptors, snd_mixer_poll_descriptors_count, snd_mixer_poll_descriptors_revents
on_demand_each snd_mixer_selem_ask_capture_dB_vol, snd_mixer_selem_ask_capture_vol_dB, snd_mixer_selem_ask_playback_dB_vol
on_demand_each snd_mixer_selem_ask_playback_vol_dB, snd_mixer_selem_channel_name, snd_mixer_selem_get_capture_dB_range
on_demand_each snd_mixer_selem_get_capture_switch, snd_mixer_selem_get_capture_volume
on_demand_each snd_mixer_selem_get_capture_volume_range, snd_mixer_selem_get_enum_item, snd_mixer_selem_get_enum_item_name
on_demand_each snd_mixer_selem_get_enum_items, snd_mixer_selem_get_id, snd_mixer_selem_get_playback_dB_range
on_demand_each snd_mixer_selem_get_playback_switch, snd_mixer_selem_get_playback_volume
on_demand_each snd_mixer_selem_get_playback_volume_range, snd_mixer_selem_has_capture_channel
on_demand_each snd_mixer_selem_has_capture_switch, snd_mixer_selem_has_capture_volume, snd_mixer_selem_has_playback_channel
on_demand_each snd_mixer_selem_has_playback_switch, snd_mixer_selem_has_playback_volume, snd_mixer_selem_id_get_index
on_demand_each snd_mixer_selem_id_get_name, snd_mixer_selem_id_set_index, snd_mixer_selem_id_set_name
on_demand_each snd_mixer_selem_id_sizeof, snd_mixer_selem_is_capture_mono, snd_mixer_selem_is_enum_capture
on_demand_each snd_mixer_selem_is_enum_playback, snd_mixer_selem_is_enumerated, snd_mixer_selem_is_playback_mono
on_demand_each snd_mixer_selem_register, snd_mixer_selem_set_capture_dB, snd_mixer_selem_set_capture_dB_all
on_demand_each snd_mixer_selem_set_capture_switch, snd_mixer_selem_set_capture_switch_all, snd_mixer_selem_set_capture_volume
on_demand_each snd_mixer_selem_set_capture_volume_all, snd_mixer_selem_set_capture_volume_range
on_demand_each snd_mixer_selem_set_enum_item, snd_mixer_selem_set_playback_dB, snd_mixer_selem_set_playback_dB_all
on_demand_each snd_mixer_selem_set_playback_switch, snd_mixer_selem_set_playback_switch_all
on_demand_each snd_mixer_selem_set_playback_volume, snd_mixer_selem_set_playback_volume_all
on_demand_each snd_mixer_selem_set_playback_volume_range, snd_mixer_wait, snd_output_buffer_open, snd_output_buffer_string
on_demand_each snd_output_close, snd_output_putc, snd_output_puts, snd_output_vprintf, snd_pcm_avail, snd_pcm_avail_delay
on_demand_each snd_pcm_avail_update, snd_pcm_bytes_to_frames, snd_pcm_chmap_long_name, snd_pcm_chmap_print, snd_pcm_close
on_demand_each snd_pcm_delay, snd_pcm_drain, snd_pcm_drop, snd_pcm_dump, snd_pcm_dump_hw_setup, snd_pcm_dump_sw_setup
on_demand_each snd_pcm_format_little_endian, snd_pcm_format_physical_width, snd_pcm_format_silence_16, snd_pcm_format_width
on_demand_each snd_pcm_frames_to_bytes, snd_pcm_free_chmaps, snd_pcm_get_chmap, snd_pcm_get_params, snd_pcm_hw_params
on_demand_each snd_pcm_hw_params_any, snd_pcm_hw_params_can_pause, snd_pcm_hw_params_can_resume, snd_pcm_hw_params_copy
on_demand_each snd_pcm_hw_params_current, snd_pcm_hw_params_dump, snd_pcm_hw_params_free, snd_pcm_hw_params_get_access
on_demand_each snd_pcm_hw_params_get_buffer_size, snd_pcm_hw_params_get_buffer_size_max
on_demand_each snd_pcm_hw_params_get_buffer_size_min, snd_pcm_hw_params_get_buffer_time
on_demand_each snd_pcm_hw_params_get_buffer_time_max, snd_pcm_hw_params_get_buffer_time_min, snd_pcm_hw_params_get_channels
on_demand_each snd_pcm_hw_params_get_channels_max, snd_pcm_hw_params_get_channels_min, snd_pcm_hw_params_get_format
on_demand_each snd_pcm_hw_params_get_period_size, snd_pcm_hw_params_get_period_size_max
on_demand_each snd_pcm_hw_params_get_period_size_min, snd_pcm_hw_params_get_period_time
on_demand_each snd_pcm_hw_params_get_period_time_max, snd_pcm_hw_params_get_period_time_min, snd_pcm_hw_params_get_periods
on_demand_each snd_pcm_hw_params_get_periods_max, snd_pcm_hw_params_get_periods_min, snd_pcm_hw_params_get_rate
on_demand_each snd_pcm_hw_params_get_rate_max, snd_pcm_hw_params_get_rate_min, snd_pcm_hw_params_get_rate_resample
on_demand_each snd_pcm_hw_params_malloc, snd_pcm_hw_params_set_access, snd_pcm_hw_params_set_buffer_size
on_demand_each snd_pcm_hw_params_set_buffer_size_max, snd_pcm_hw_params_set_buffer_size_min
on_demand_each snd_pcm_hw_params_set_buffer_size_near, snd_pcm_hw_params_set_buffer_time
on_demand_each snd_pcm_hw_params_set_buffer_time_max, snd_pcm_hw_params_set_buffer_time_min
on_demand_each snd_pcm_hw_params_set_buffer_time_near, snd_pcm_hw_params_set_channels, snd_pcm_hw_params_set_channels_near
on_demand_each snd_pcm_hw_params_set_format, snd_pcm_hw_params_set_period_size, snd_pcm_hw_params_set_period_size_max
on_demand_each snd_pcm_hw_params_set_period_size_min, snd_pcm_hw_params_set_period_size_near
on_demand_each snd_pcm_hw_params_set_period_time, snd_pcm_hw_params_set_period_time_max
on_demand_each snd_pcm_hw_params_set_period_time_min, snd_pcm_hw_params_set_period_time_near, snd_pcm_hw_params_set_periods
on_demand_each snd_pcm_hw_params_set_periods_max, snd_pcm_hw_params_set_periods_min, snd_pcm_hw_params_set_periods_near
on_demand_each snd_pcm_hw_params_set_rate, snd_pcm_hw_params_set_rate_near, snd_pcm_hw_params_set_rate_resample
on_demand_each snd_pcm_hw_params_supports_audio_ts_type, snd_pcm_hw_params_test_access, snd_pcm_hw_params_test_channels
on_demand_each snd_pcm_hw_params_test_format, snd_pcm_hw_params_test_rate, snd_pcm_info, snd_pcm_info_free
on_demand_each snd_pcm_info_get_card, snd_pcm_info_get_device, snd_pcm_info_get_id, snd_pcm_info_get_name
on_demand_each snd_pcm_info_get_stream, snd_pcm_info_get_subdevice, snd_pcm_info_get_subdevice_name
on_demand_each snd_pcm_info_get_subdevices_avail, snd_pcm_info_get_subdevices_count, snd_pcm_info_malloc
on_demand_each snd_pcm_info_set_device, snd_pcm_info_set_stream, snd_pcm_info_set_subdevice, snd_pcm_link, snd_pcm_open
on_demand_each snd_pcm_pause, snd_pcm_poll_descriptors, snd_pcm_poll_descriptors_count, snd_pcm_poll_descriptors_revents
on_demand_each snd_pcm_prepare, snd_pcm_query_chmaps, snd_pcm_readi, snd_pcm_recover, snd_pcm_reset, snd_pcm_resume
on_demand_each snd_pcm_set_chmap, snd_pcm_start, snd_pcm_state, snd_pcm_status, snd_pcm_status_dump
on_demand_each snd_pcm_status_get_audio_htstamp, snd_pcm_status_get_avail, snd_pcm_status_get_avail_max
on_demand_each snd_pcm_status_get_delay, snd_pcm_status_get_htstamp, snd_pcm_status_get_overrange, snd_pcm_status_get_state
on_demand_each snd_pcm_status_get_trigger_htstamp, snd_pcm_status_set_audio_htstamp_config, snd_pcm_status_sizeof
on_demand_each snd_pcm_sw_params, snd_pcm_sw_params_current, snd_pcm_sw_params_dump, snd_pcm_sw_params_free
on_demand_each snd_pcm_sw_params_get_avail_min, snd_pcm_sw_params_get_boundary, snd_pcm_sw_params_get_start_threshold
on_demand_each snd_pcm_sw_params_get_stop_threshold, snd_pcm_sw_params_get_tstamp_mode, snd_pcm_sw_params_get_tstamp_type
on_demand_each snd_pcm_sw_params_malloc, snd_pcm_sw_params_set_avail_min, snd_pcm_sw_params_set_start_threshold
on_demand_each snd_pcm_sw_params_set_stop_threshold, snd_pcm_sw_params_set_tstamp_mode, snd_pcm_sw_params_set_tstamp_type
on_demand_each snd_pcm_unlink, snd_pcm_wait, snd_pcm_writei, snd_rawmidi_close, snd_rawmidi_drain, snd_rawmidi_drop
on_demand_each snd_rawmidi_info, snd_rawmidi_info_free, snd_rawmidi_info_get_device, snd_rawmidi_info_get_id
on_demand_each snd_rawmidi_info_get_stream, snd_rawmidi_info_get_subdevice, snd_rawmidi_info_get_subdevice_name
on_demand_each snd_rawmidi_info_get_subdevices_count, snd_rawmidi_info_malloc, snd_rawmidi_info_set_device
on_demand_each snd_rawmidi_info_set_stream, snd_rawmidi_info_set_subdevice, snd_rawmidi_name, snd_rawmidi_open
on_demand_each snd_rawmidi_poll_descriptors, snd_rawmidi_poll_descriptors_count, snd_rawmidi_poll_descriptors_revents
on_demand_each snd_rawmidi_read, snd_rawmidi_status, snd_rawmidi_status_free, snd_rawmidi_status_get_avail
on_demand_each snd_rawmidi_status_get_xruns, snd_rawmidi_status_malloc, snd_rawmidi_write, snd_seq_alloc_named_queue
on_demand_each snd_seq_alloc_queue, snd_seq_client_id, snd_seq_client_info_free, snd_seq_client_info_get_card
on_demand_each snd_seq_client_info_get_client, snd_seq_client_info_get_name, snd_seq_client_info_malloc
on_demand_each snd_seq_client_info_set_client, snd_seq_close, snd_seq_control_queue, snd_seq_create_port
on_demand_each snd_seq_create_simple_port, snd_seq_delete_port, snd_seq_drain_output, snd_seq_drop_input, snd_seq_drop_output
on_demand_each snd_seq_event_input, snd_seq_event_input_pending, snd_seq_event_output, snd_seq_event_output_buffer
on_demand_each snd_seq_event_output_direct, snd_seq_free_queue, snd_seq_get_any_client_info, snd_seq_get_any_port_info
on_demand_each snd_seq_get_queue_status, snd_seq_get_queue_tempo, snd_seq_open, snd_seq_poll_descriptors
on_demand_each snd_seq_poll_descriptors_count, snd_seq_poll_descriptors_revents, snd_seq_port_info_free
on_demand_each snd_seq_port_info_get_capability, snd_seq_port_info_get_client, snd_seq_port_info_get_midi_channels
on_demand_each snd_seq_port_info_get_midi_voices, snd_seq_port_info_get_name, snd_seq_port_info_get_port
on_demand_each snd_seq_port_info_get_port_specified, snd_seq_port_info_get_read_use, snd_seq_port_info_get_synth_voices
on_demand_each snd_seq_port_info_get_timestamp_queue, snd_seq_port_info_get_timestamp_real
on_demand_each snd_seq_port_info_get_timestamping, snd_seq_port_info_get_type, snd_seq_port_info_get_write_use
on_demand_each snd_seq_port_info_malloc, snd_seq_port_info_set_capability, snd_seq_port_info_set_client
on_demand_each snd_seq_port_info_set_midi_channels, snd_seq_port_info_set_midi_voices, snd_seq_port_info_set_name
on_demand_each snd_seq_port_info_set_port, snd_seq_port_info_set_port_specified, snd_seq_port_info_set_synth_voices
on_demand_each snd_seq_port_info_set_timestamp_queue, snd_seq_port_info_set_timestamp_real
on_demand_each snd_seq_port_info_set_timestamping, snd_seq_port_info_set_type, snd_seq_port_info_sizeof
on_demand_each snd_seq_port_subscribe_free, snd_seq_port_subscribe_get_dest, snd_seq_port_subscribe_get_exclusive
on_demand_each snd_seq_port_subscribe_get_queue, snd_seq_port_subscribe_get_sender, snd_seq_port_subscribe_get_time_real
on_demand_each snd_seq_port_subscribe_get_time_update, snd_seq_port_subscribe_malloc, snd_seq_port_subscribe_set_dest
on_demand_each snd_seq_port_subscribe_set_exclusive, snd_seq_port_subscribe_set_queue, snd_seq_port_subscribe_set_sender
on_demand_each snd_seq_port_subscribe_set_time_real, snd_seq_port_subscribe_set_time_update, snd_seq_port_subscribe_sizeof
on_demand_each snd_seq_query_next_client, snd_seq_query_next_port, snd_seq_query_port_subscribers
on_demand_each snd_seq_query_subscribe_free, snd_seq_query_subscribe_get_addr, snd_seq_query_subscribe_get_exclusive
on_demand_each snd_seq_query_subscribe_get_index, snd_seq_query_subscribe_get_queue, snd_seq_query_subscribe_get_time_real
on_demand_each snd_seq_query_subscribe_get_time_update, snd_seq_query_subscribe_malloc, snd_seq_query_subscribe_set_index
on_demand_each snd_seq_query_subscribe_set_root, snd_seq_query_subscribe_set_type, snd_seq_queue_status_free
on_demand_each snd_seq_queue_status_get_events, snd_seq_queue_status_get_queue, snd_seq_queue_status_get_real_time
on_demand_each snd_seq_queue_status_get_status, snd_seq_queue_status_get_tick_time, snd_seq_queue_status_malloc
on_demand_each snd_seq_queue_status_sizeof, snd_seq_queue_tempo_free, snd_seq_queue_tempo_get_ppq
on_demand_each snd_seq_queue_tempo_get_queue, snd_seq_queue_tempo_get_skew, snd_seq_queue_tempo_get_skew_base
on_demand_each snd_seq_queue_tempo_get_tempo, snd_seq_queue_tempo_malloc, snd_seq_queue_tempo_set_ppq
on_demand_each snd_seq_queue_tempo_set_skew, snd_seq_queue_tempo_set_skew_base, snd_seq_queue_tempo_set_tempo
on_demand_each snd_seq_queue_tempo_sizeof, snd_seq_remove_events, snd_seq_remove_events_free
on_demand_each snd_seq_remove_events_get_channel, snd_seq_remove_events_get_condition, snd_seq_remove_events_get_dest
on_demand_each snd_seq_remove_events_get_event_type, snd_seq_remove_events_get_queue, snd_seq_remove_events_get_tag
on_demand_each snd_seq_remove_events_get_time, snd_seq_remove_events_malloc, snd_seq_remove_events_set_channel
on_demand_each snd_seq_remove_events_set_condition, snd_seq_remove_events_set_dest, snd_seq_remove_events_set_event_type
on_demand_each snd_seq_remove_events_set_queue, snd_seq_remove_events_set_tag, snd_seq_remove_events_set_time
on_demand_each snd_seq_set_client_event_filter, snd_seq_set_client_name, snd_seq_set_client_pool_input
on_demand_each snd_seq_set_client_pool_output, snd_seq_set_client_pool_output_room, snd_seq_set_input_buffer_size
on_demand_each snd_seq_set_port_info, snd_seq_set_queue_tempo, snd_seq_subscribe_port, snd_seq_sync_output_queue
on_demand_each snd_seq_unsubscribe_port

    .text
