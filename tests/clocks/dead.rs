//! Addresses that never answer: neither by a connection nor by a refusal.
//!
//! A listener that accepts nothing has room for a certain number of connections. When that is taken,
//! the system drops each further SYN, and whoever sent it waits.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

/// More connections than any system keeps for a listener of the standard library's.
const MOST: usize = 5000;

/// A connection that has not come about on loopback after so long does not come about.
const HUNG: Duration = Duration::from_millis(200);

/// Eight of them. It is an error, and not a reason to leave a test out, if there are none.
pub(crate) fn addresses() -> &'static [SocketAddr; 8] {
    static LISTENERS: OnceLock<([TcpListener; 8], [SocketAddr; 8])> = OnceLock::new();
    let (_, addresses) = LISTENERS.get_or_init(|| {
        let listeners: [TcpListener; 8] = std::array::from_fn(|_| {
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback")
        });
        let addresses = std::array::from_fn(|n| listeners[n].local_addr().expect("an address"));
        thread::scope(|scope| {
            addresses.iter().for_each(|address| drop(scope.spawn(|| fill(address))))
        });
        (listeners, addresses)
    });
    addresses
}

/// Takes all the room that there is.
fn fill(address: &SocketAddr) {
    for _ in 0..MOST {
        match TcpStream::connect_timeout(address, HUNG) {
            // Closed at once on this side, it takes the room that it has until it is accepted.
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::TimedOut => return,
            Err(error) => panic!("{address} cannot be made to hang: {error}"),
        }
    }
    panic!("{address} takes in {MOST} connections, and does not hang");
}

/// Whether connecting there takes longer than a live address needs.
pub(crate) fn hangs(address: &SocketAddr) -> bool {
    let error = TcpStream::connect_timeout(address, HUNG).err();
    error.is_some_and(|error| error.kind() == ErrorKind::TimedOut)
}
