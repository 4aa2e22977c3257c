//! A node (`voip_node`) has a name and a key, registers at one or more trackers, calls and is
//! called; a tracker (`voip_tracker`) is where nodes find each other and hears nothing of what they
//! say. The way of a program, from top to bottom, without its checks:
//!
//! ```c
//!     voip_node_builder_new("alice", &builder);
//!     voip_node_builder_tracker(builder, "tracker.example.org:6000");
//!     voip_node_builder_audio_devices(builder, "default", "default");
//!     voip_node_builder_start(builder, &node);
//!     voip_node_builder_free(builder);
//!     voip_node_wait_registered(node, 5000);
//!     voip_node_call(node, "bob", VOIP_FOREVER, &call);
//!     voip_call_wait_ended(call, VOIP_FOREVER, NULL);
//!     voip_call_free(call);
//!     voip_node_free(node);
//! ```
//!
//! Whoever is called asks `voip_node_next_event` until `VOIP_EVENT_INCOMING` comes, answers with
//! `voip_call_answer` and keeps the handle. A call in 20 lines is in README.md, whole programs are
//! in examples/c.
//!
//! Status. Every function that can fail returns a `voip_status`: `VOIP_OK`, which is 0, or what
//! went wrong. After a failure results are left as they were, unless the function says otherwise,
//! and `voip_last_error` has the words for it. Whatever a function's own list says, it may also
//! return `VOIP_INVALID_ARGUMENT` for a pointer that is NULL or a text that is not UTF-8,
//! `VOIP_CLOSED` for a handle that was freed, a node or tracker that was closed, or in another
//! process, `VOIP_SYSTEM` where it makes a handle and there are too many, and `VOIP_INTERNAL`, which
//! is a bug of the library.
//!
//! Handles. `voip_node *`, `voip_call *` and the other opaque types are not addresses but tickets,
//! which the library checks: one that was freed gives `VOIP_CLOSED`; NULL, one of another type and
//! any other pointer give `VOIP_INVALID_ARGUMENT`. Whoever got a handle frees it, once, with the
//! function named after its type; freeing returns a status, too, which may be ignored. A handle may
//! be freed while other threads are inside functions with it.
//!
//! Threads. Any function may be called from any thread, with any handle, at any time. No thread of
//! the library ever runs code of the program: what happens is told by events that are asked for.
//!
//! Blocking. Each function says what it may wait for and how long. Those with `timeout_ms` wait for
//! at most so many milliseconds: 0 does not wait, `VOIP_FOREVER` waits for a year.
//!
//! Memory. Texts and arrays that go in are copied, or done with, before the function returns. Texts
//! that come out are copied into arrays of the caller's, and zero-terminated.
//!
//! Structs that the library fills begin with `size`: set it to sizeof the struct before each call,
//! as in `voip_event event = { .size = sizeof event };`. Later releases may add members at the end,
//! and write only those that the caller's size has room for. A smaller size than the first
//! release's gives `VOIP_INVALID_ARGUMENT`. (`voip_text_id`, which never grows, has no size.)
//!
//! Versions. Numbers of enums are fixed, functions and members stay what they are; an enum may get
//! new numbers and a struct new members. What breaks a compiled program changes the number in the
//! name of the shared library (libvoip.so.0).
//!
//! After a fork the handles of the parent give `VOIP_CLOSED` in the child, which may call exec.
//!
//! Units. Times are milliseconds, rates hertz, levels dBFS. Sound is mono. Texts are UTF-8 and end
//! with a zero byte. A peer's id is its public key, 64 lower-case hexadecimal digits.
//!
//! Names are those of the Rust library: a getter has `get_` in its name only where a type has the
//! name without.

// What exported functions ask of pointers is in the header, once for all of them and for each.
#![allow(clippy::missing_safety_doc, reason = "the header is the contract")]
#![allow(non_camel_case_types, reason = "types are named as in the header")]

mod call;
mod call_stats;
mod contact;
mod convert;
mod device;
mod doctor;
mod event;
mod handle;
mod list;
mod mesh;
mod node;
mod node_builder;
mod node_stats;
mod pcm;
mod peer;
mod status;
mod tracker;
mod tracker_event;
mod version;
mod wall;

pub use call::*;
pub use call_stats::*;
pub use contact::*;
pub use device::*;
pub use doctor::*;
pub use event::*;
pub use mesh::*;
pub use node::*;
pub use node_builder::*;
pub use node_stats::*;
pub use pcm::*;
pub use peer::*;
pub use status::*;
pub use tracker::*;
pub use tracker_event::*;
pub use version::*;
