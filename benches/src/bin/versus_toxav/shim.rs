//! What the preloaded `benches/peers/impair.c` counted of this process's datagrams.

/// Since the process began; nothing where the shim is not loaded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) datagrams: u64,
    pub(crate) dropped: u64,
    /// UDP payload.
    pub(crate) bytes: u64,
}

impl Counts {
    pub(crate) fn now() -> Counts {
        let mut counts = [0u64; 3];
        // SAFETY: the name ends with a zero.
        let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"impair_counts".as_ptr()) };
        if !symbol.is_null() {
            // SAFETY: it is what the shim defines under that name.
            let read: extern "C" fn(*mut u64) = unsafe { std::mem::transmute(symbol) };
            read(counts.as_mut_ptr());
        }
        let [datagrams, dropped, bytes] = counts;
        Counts { datagrams, dropped, bytes }
    }

    pub(crate) fn since(&self, earlier: &Counts) -> Counts {
        Counts {
            datagrams: self.datagrams - earlier.datagrams,
            dropped: self.dropped - earlier.dropped,
            bytes: self.bytes - earlier.bytes,
        }
    }
}
