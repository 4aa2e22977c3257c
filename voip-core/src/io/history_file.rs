//! Keeps the texts of the mesh on disk, for the next start, without ever holding up whoever has them: one signed message in
//! each line, in the order in which they came.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use super::spawn;
use crate::error::{Error, ErrorKind};
use crate::wire::gossip::{MAX_MESSAGE, SignedMessage};
use crate::wire::json;

/// Messages that wait for the disk; more are not kept.
const QUEUE: usize = 1024;
/// A longer file is cut to its last half when it is opened.
const LONGEST: u64 = 64 * 1024 * 1024;

/// The file, and the thread that writes it.
pub(crate) struct HistoryFile {
    queue: Option<SyncSender<SignedMessage>>,
    writer: Option<JoinHandle<()>>,
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
        let file = open(path).map_err(bad)?;
        let mut messages = read(&file).map_err(bad)?;
        let file = match file.metadata().map_err(bad)?.len() > LONGEST {
            true => {
                messages.drain(..messages.len() / 2);
                rewrite(path, &messages).map_err(bad)?
            }
            false => file,
        };
        let (queue, inbox) = sync_channel(QUEUE);
        let path = path.to_owned();
        let writer = spawn("voip-disk", move || write(file, &path, &inbox, failed))?;
        let (queue, writer) = (Some(queue), Some(writer));
        Ok((HistoryFile { queue, writer, process: std::process::id() }, messages))
    }

    /// Keeps a message. False if there are too many already that wait for the disk.
    pub(crate) fn keep(&self, message: SignedMessage) -> bool {
        let sent = self.queue.as_ref().map(|queue| queue.try_send(message));
        !matches!(sent, Some(Err(TrySendError::Full(_))))
    }
}

impl Drop for HistoryFile {
    /// Waits for what is to be written yet.
    fn drop(&mut self) {
        self.queue = None;
        // After a fork the thread exists in the parent only.
        if self.process != std::process::id() {
            return;
        }
        if self.writer.take().is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the thread that writes the history panicked");
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
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        if io::Read::take(&mut reader, 2 * MAX_MESSAGE as u64).read_until(b'\n', &mut line)? == 0 {
            return Ok(messages);
        }
        messages.extend(serde_json::from_slice::<SignedMessage>(&line).ok());
    }
}

/// Puts a file with these messages in the place of the one that is there.
fn rewrite(path: &Path, messages: &[SignedMessage]) -> io::Result<File> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let _ = fs::remove_file(&beside);
    let mut file = open(&beside)?;
    let text: String = messages.iter().map(|message| json(message) + "\n").collect();
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    Ok(file)
}

fn write(
    mut file: File,
    path: &Path,
    inbox: &Receiver<SignedMessage>,
    failed: impl Fn(Error) + Send + 'static,
) {
    let mut has_failed = false;
    // A line that was not finished, or was by a program that has ended, must not spoil the next.
    let mut begin = "\n";
    while let Ok(message) = inbox.recv() {
        let line = format!("{begin}{}\n", json(&message));
        match file.write_all(line.as_bytes()) {
            Ok(()) => (begin, has_failed) = ("", false),
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
