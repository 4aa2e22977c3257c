//! Keeps the texts of the mesh on disk, for the next start, without ever holding up whoever has them: one signed message in
//! each line, in the order in which they came.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};

use super::spawn;
use crate::error::{Error, ErrorKind};
use crate::time::Duration;
use crate::wire::gossip::{MAX_MESSAGE, SignedMessage};
use crate::wire::json;

/// Messages that wait for the disk; more are not kept.
const QUEUE: usize = 1024;
/// What is kept of a file that has become twice as long: its end.
const LONGEST: u64 = 64 * 1024 * 1024;
/// How long whoever closes a node waits for the disk.
const LAST_WRITE: Duration = Duration::from_secs(2);

/// The file, and the thread that writes it.
pub(crate) struct HistoryFile {
    queue: Option<SyncSender<SignedMessage>>,
    /// Ends with the thread.
    written: Receiver<()>,
    process: u32,
}

impl HistoryFile {
    /// Opens or makes the file, and reads what is there. Lines that make no sense are passed over: a program may have been
    /// ended in the middle of one. `failed` is told once when the disk does not take any more, and so on after each success.
    ///
    /// Errors: [`ErrorKind::File`].
    pub(crate) fn open(
        path: &Path,
        failed: impl Fn(Error) + Send + 'static,
    ) -> Result<(HistoryFile, Vec<SignedMessage>), Error> {
        let bad = |e: io::Error| bad(path, &e);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(bad)?;
        }
        let mut file = open(path).map_err(bad)?;
        if file.metadata().map_err(bad)?.len() > 2 * LONGEST {
            file = shorten(&file, path, LONGEST).map_err(bad)?;
        }
        let messages = read(&file).map_err(bad)?;
        let (queue, inbox) = sync_channel(QUEUE);
        let (ends, written) = sync_channel(0);
        let path = path.to_owned();
        spawn("voip-disk", move || {
            write(file, &path, &inbox, failed);
            drop(ends);
        })?;
        let (queue, process) = (Some(queue), std::process::id());
        Ok((HistoryFile { queue, written, process }, messages))
    }

    /// Keeps a message. False if there are too many already that wait for the disk.
    pub(crate) fn keep(&self, message: SignedMessage) -> bool {
        let sent = self.queue.as_ref().map(|queue| queue.try_send(message));
        !matches!(sent, Some(Err(TrySendError::Full(_))))
    }
}

impl Drop for HistoryFile {
    /// Waits for what is to be written yet, for a while.
    fn drop(&mut self) {
        self.queue = None;
        // After a fork the thread exists in the parent only.
        if self.process != std::process::id() {
            return;
        }
        if self.written.recv_timeout(LAST_WRITE) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the disk is too slow for the history: it is not waited for");
        }
    }
}

fn bad(path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorKind::File, format!("{}: {error}", path.display()))
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn read(file: &File) -> io::Result<Vec<SignedMessage>> {
    let mut messages = Vec::new();
    // What is no file may have no end.
    let mut reader = BufReader::new(io::Read::take(file, file.metadata()?.len()));
    let mut line = Vec::new();
    loop {
        line.clear();
        if io::Read::take(&mut reader, 2 * MAX_MESSAGE as u64).read_until(b'\n', &mut line)? == 0 {
            return Ok(messages);
        }
        messages.extend(serde_json::from_slice::<SignedMessage>(&line).ok());
    }
}

/// Puts a file with the last bytes of this one in its place.
fn shorten(file: &File, path: &Path, keep: u64) -> io::Result<File> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let _ = fs::remove_file(&beside);
    let mut shorter = open(&beside)?;
    let mut file = BufReader::new(file);
    // To the line that begins next.
    file.seek(SeekFrom::End(-(keep as i64)))?;
    file.skip_until(b'\n')?;
    io::copy(&mut file, &mut shorter)?;
    shorter.sync_all()?;
    fs::rename(&beside, path)?;
    Ok(shorter)
}

fn write(
    mut file: File,
    path: &Path,
    inbox: &Receiver<SignedMessage>,
    failed: impl Fn(Error) + Send + 'static,
) {
    let (mut has_failed, mut written) = (false, 0);
    // A line that was not finished, or was by a program that has ended, must not spoil the next.
    let mut begin = "\n";
    while let Ok(message) = inbox.recv() {
        let line = format!("{begin}{}\n", json(&message));
        match file.write_all(line.as_bytes()) {
            Ok(()) => {
                (begin, has_failed) = ("", false);
                written += line.len() as u64;
                if written > LONGEST {
                    written = 0;
                    match shorten(&file, path, LONGEST) {
                        Ok(shorter) => file = shorter,
                        Err(error) => tracing::warn!(%error, "the history is not shortened"),
                    }
                }
            }
            Err(error) => {
                begin = "\n";
                if !has_failed {
                    has_failed = true;
                    failed(bad(path, &error));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::identity::Identity;

    fn message(n: usize) -> SignedMessage {
        SignedMessage::sign(&Identity::from_secret(&[1; 32]), format!("text {n}")).unwrap()
    }

    fn never(error: Error) {
        panic!("{error}");
    }

    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("voip-history-{name}-{}", std::process::id()))
    }

    #[test]
    fn what_was_kept_is_there_at_the_next_start_torn_lines_or_not() {
        let folder = folder("kept");
        let path = folder.join("deep/history");
        let (file, before) = HistoryFile::open(&path, never).unwrap();
        assert_eq!(before, []);
        assert!(file.keep(message(1)) && file.keep(message(2)));
        drop(file);
        OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"{\"author\":\"7f")
            .unwrap();
        let (file, before) = HistoryFile::open(&path, never).unwrap();
        assert_eq!(before, [message(1), message(2)]);
        assert!(file.keep(message(3)));
        drop(file);
        let (_, before) = HistoryFile::open(&path, never).unwrap();
        assert_eq!(before, [message(1), message(2), message(3)]);
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(
                &fs::metadata(&path).unwrap().permissions(),
            );
            assert_eq!(mode & 0o777, 0o600);
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_long_file_keeps_its_end() {
        let folder = folder("long");
        let path = folder.join("history");
        let (file, _) = HistoryFile::open(&path, never).unwrap();
        (0..100).for_each(|n| assert!(file.keep(message(n))));
        drop(file);
        let shorter = shorten(&File::open(&path).unwrap(), &path, 2_000).unwrap();
        let kept = read(&File::open(&path).unwrap()).unwrap();
        assert!((2..10).contains(&kept.len()), "{}", kept.len());
        assert_eq!(kept.last(), Some(&message(99)));
        assert!(shorter.metadata().unwrap().len() < 2_000);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn any_bytes_are_passed_over() {
        let folder = folder("bytes");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("history");
        fs::write(&path, vec![b'x'; 5 * MAX_MESSAGE]).unwrap();
        assert_eq!(HistoryFile::open(&path, never).unwrap().1, []);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_cannot_be_opened_is_an_error_that_names_it() {
        let folder = folder("folder");
        fs::create_dir_all(&folder).unwrap();
        let error = HistoryFile::open(&folder, never).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::File);
        assert!(error.to_string().contains("voip-history-folder"), "{error}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_once() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = told.clone();
        let full = Path::new("/dev/full");
        let (file, _) = HistoryFile::open(full, move |e| tell.lock().unwrap().push(e)).unwrap();
        (0..3).for_each(|n| assert!(file.keep(message(n))));
        drop(file);
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].kind(), ErrorKind::File);
    }
}
