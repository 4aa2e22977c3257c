/* voip: peer-to-peer voice calls.
 *
 * Generated from voip-ffi/src; do not edit. To renew it:
 *     VOIP_WRITE_HEADER=1 cargo test -p voip-ffi --test header
 */

#ifndef VOIP_H
#define VOIP_H

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the library, as in "0.1.0". The string lives as long as the library is loaded;
 * do not free it.
 */
const char *voip_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* VOIP_H */
