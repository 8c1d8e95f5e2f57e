//! A socket in the file system before a server that listens on a port.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// A path for a socket; it is gone with this.
pub(crate) struct Place(PathBuf);

impl Place {
    /// A new one. Short, since the path of a socket may have about a hundred bytes.
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let name = format!("fetchpool-{}-{number}.sock", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Takes connections at a path, and hands on to a server what goes either way, up to its end.
pub(crate) struct Door {
    place: Place,
    closing: Arc<AtomicBool>,
    porter: Option<JoinHandle<()>>,
}

impl Door {
    /// A door to a server that listens there.
    pub(crate) fn to(server: SocketAddr) -> Self {
        let place = Place::new();
        let listener = UnixListener::bind(place.path()).expect("a socket in the temporary folder");
        let closing = Arc::new(AtomicBool::new(false));
        let porter = thread::spawn({
            let closing = Arc::clone(&closing);
            move || hand_on_all(&listener, server, &closing)
        });
        Self { place, closing, porter: Some(porter) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.place.path()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        // Wakes the porter.
        let _ = UnixStream::connect(self.place.path());
        if let Some(porter) = self.porter.take() {
            // A panic has been printed, and the test sees its effect.
            let _ = porter.join();
        }
    }
}

fn hand_on_all(listener: &UnixListener, server: SocketAddr, closing: &AtomicBool) {
    let open: Mutex<Vec<(UnixStream, TcpStream)>> = Mutex::default();
    thread::scope(|scope| {
        for near in listener.incoming() {
            if closing.load(Ordering::SeqCst) {
                break;
            }
            let near = near.expect("a connection");
            let far = TcpStream::connect(server).expect("the server behind the door");
            far.set_nodelay(true).expect("a socket");
            let handles = near.try_clone().and_then(|near| Ok((near, far.try_clone()?)));
            open.lock().unwrap().push(handles.expect("second handles"));
            scope.spawn(move || {
                thread::scope(|scope| {
                    scope.spawn(|| {
                        let _ = hand_on(&mut &near, &mut &far);
                        let _ = far.shutdown(Shutdown::Write);
                    });
                    let _ = hand_on(&mut &far, &mut &near);
                    // Also a reset ends in a plain close here: these sockets know no other.
                    let _ = near.shutdown(Shutdown::Both);
                    let _ = far.shutdown(Shutdown::Both);
                });
            });
        }
        for (near, far) in open.lock().unwrap().iter() {
            let _ = near.shutdown(Shutdown::Both);
            let _ = far.shutdown(Shutdown::Both);
        }
    });
}

fn hand_on(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut piece = vec![0; 1 << 16];
    loop {
        match from.read(&mut piece)? {
            0 => return Ok(()),
            count => to.write_all(&piece[..count])?,
        }
    }
}
