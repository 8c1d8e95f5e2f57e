//! Addresses that never answer: neither by a connection nor by a refusal.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use crate::support::dead::Dead;

/// A connection that has not come about on loopback after so long does not come about.
const HUNG: Duration = Duration::from_millis(200);

/// Eight of them. It is an error, and not a reason to leave a test out, if there are none.
pub(crate) fn addresses() -> &'static [SocketAddr; 8] {
    static DEAD: OnceLock<(Vec<Dead>, [SocketAddr; 8])> = OnceLock::new();
    let (_, addresses) = DEAD.get_or_init(|| {
        let dead: Vec<Dead> = thread::scope(|scope| {
            let filled: Vec<_> = (0..8).map(|_| scope.spawn(Dead::new)).collect();
            filled.into_iter().map(|dead| dead.join().expect("a full queue")).collect()
        });
        let addresses = std::array::from_fn(|n| dead[n].address());
        (dead, addresses)
    });
    addresses
}

/// Whether connecting there takes longer than a live address needs.
pub(crate) fn hangs(address: &SocketAddr) -> bool {
    let error = TcpStream::connect_timeout(address, HUNG).err();
    error.is_some_and(|error| error.kind() == ErrorKind::TimedOut)
}
