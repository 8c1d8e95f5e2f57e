//! Happy Eyeballs (RFC 8305): from the addresses of a host to a connection, without waiting for
//! those that do not answer.
//!
//! One address, and the one that was good the last time, are connected to in the asking thread,
//! which costs nothing else. Where there are more, each attempt has a thread; the next one begins
//! when 250 ms are over or the last one has failed, and the first connection is the one that
//! counts.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::connect::{DELAY, SoFar, Tried, connect_here, in_turn, is_timeout};
use super::connectors::Connectors;
use super::patience::Patience;
use super::pipe::Pipe;
use super::race::{Goal, News, Race, Won};
use super::routes::{Route, Routes};

/// The addresses of a host, and what is remembered of the way there.
pub(super) struct Host<'a> {
    pub(super) name: &'a str,
    pub(super) port: u16,
    pub(super) addresses: &'a [SocketAddr],
    pub(super) routes: &'a Routes,
}

impl Host<'_> {
    /// A connection to one of the addresses, to which, and those that were tried. Where there is only
    /// one, it counts as tried when that has failed.
    pub(super) fn connect(
        &self,
        patience: &Patience<'_>,
        so_far: SoFar,
        tried: &mut Tried,
    ) -> io::Result<(SocketAddr, Pipe)> {
        match self.addresses {
            [] => Err(tried.last()),
            [only] => {
                let left = patience.left();
                left.and_then(|left| connect_here(only, left, patience, so_far))
                    .map(|socket| (*only, Pipe::Tcp(socket)))
                    .inspect_err(|_| tried.begin(*only))
            }
            _ => {
                let connected = self.connect_to_many(patience, so_far, tried);
                if connected.is_err() && !patience.interrupt.is_raised() {
                    self.routes.forget(self.name, self.port);
                }
                connected
            }
        }
    }

    fn connect_to_many(
        &self,
        patience: &Patience<'_>,
        so_far: SoFar,
        tried: &mut Tried,
    ) -> io::Result<(SocketAddr, Pipe)> {
        let route = self.routes.get(self.name, self.port, Instant::now());
        let mut order = in_order(self.addresses, route.map(|route| route.address));
        if let Some(route) = route
            && route.took < QUICK
            && order.front() == Some(&route.address)
        {
            let share = patience.share(order.len())?.map_or(DELAY, |share| share.min(DELAY));
            tried.begin(route.address);
            match connect_here(&route.address, Some(share), patience, so_far) {
                Ok(socket) => return Ok((route.address, Pipe::Tcp(socket))),
                Err(error) => {
                    patience.left()?;
                    self.routes.forget(self.name, self.port);
                    order.pop_front();
                    match is_timeout(&error) {
                        // It has lost its place, and not its chance.
                        true => order.push_back(route.address),
                        false => tried.failed.push((route.address, error)),
                    }
                }
            }
        }
        let raced = self.race(order.make_contiguous(), patience, so_far, tried);
        patience.interrupt.watch_nothing();
        raced
    }

    fn race(
        &self,
        order: &[SocketAddr],
        patience: &Patience<'_>,
        so_far: SoFar,
        tried: &mut Tried,
    ) -> io::Result<(SocketAddr, Pipe)> {
        // With little time, the last address must have its turn all the same.
        let delay = patience.share(order.len())?.map_or(DELAY, |share| share.min(DELAY));
        let race = Race::new(patience);
        let (mut begun, mut running, mut due) = (0, 0_usize, Instant::now());
        loop {
            let now = Instant::now();
            let rest = order.get(begun..).unwrap_or_default();
            if let [next, ..] = rest
                && (running == 0 || now >= due)
            {
                let until = patience.left()?.and_then(|left| now.checked_add(left));
                if CONNECTORS.run_now(&race.attempt(begun, Goal::Tcp(*next, until))) {
                    tried.begin(*next);
                    (begun, running) = (begun.saturating_add(1), running.saturating_add(1));
                    due = now.checked_add(delay).unwrap_or(now);
                } else {
                    // Every thread is at another host: this one must do.
                    begun = order.len();
                    let found = in_turn(rest, patience, so_far, tried, || race.is_won())?;
                    if let Some((address, socket)) = found {
                        return Ok(self.remember(address, DELAY, Pipe::Tcp(socket)));
                    }
                    race.watch(patience);
                }
                continue;
            }
            if running == 0 {
                return Err(tried.last());
            }
            match race.wait((!rest.is_empty()).then_some(due), patience)? {
                News::Won(Won { number, pipe, took }) => {
                    // The numbers are ours.
                    let address = order.get(number).ok_or_else(|| tried.last())?;
                    return Ok(self.remember(*address, took, pipe));
                }
                News::Failed(failed) => {
                    running = running.saturating_sub(failed.len());
                    for (number, error) in failed {
                        tried.failed.extend(order.get(number).map(|at| (*at, error)));
                    }
                    due = now;
                }
                News::Nothing => {}
            }
        }
    }

    fn remember(&self, address: SocketAddr, took: Duration, pipe: Pipe) -> (SocketAddr, Pipe) {
        let route = Route { address, took, found: Instant::now() };
        self.routes.put(self.name, self.port, route);
        (address, pipe)
    }
}

/// The order in which addresses are tried: the good one first, then a family and the other in turn
/// (RFC 8305 §4), beginning with that of the good one or else of the first.
fn in_order(addresses: &[SocketAddr], good: Option<SocketAddr>) -> VecDeque<SocketAddr> {
    let good = good.filter(|good| addresses.contains(good));
    let Some(first) = good.as_ref().or_else(|| addresses.first()) else { return VecDeque::new() };
    let of_family = |of_first: bool| {
        let of_one = move |address: &SocketAddr| {
            good != Some(*address) && (address.is_ipv4() == first.is_ipv4()) == of_first
        };
        addresses.iter().copied().filter(of_one)
    };
    let (mut same, mut other) = (good.into_iter().chain(of_family(true)), of_family(false));
    let mut order = VecDeque::with_capacity(addresses.len());
    loop {
        let before = order.len();
        order.extend(same.next());
        order.extend(other.next());
        if order.len() == before {
            return order;
        }
    }
}

/// The good address of last time is tried alone if it answered so quickly then: whoever needs longer
/// could be given up just before it answers.
const QUICK: Duration = Duration::from_millis(125);

/// Attempts of the whole process. One that lost a race to a dead address goes on until its time is
/// over, so there must be more of them than connections are opened in that time; where there are
/// not, connecting takes longer, and nothing else.
static CONNECTORS: Connectors = Connectors::new(256);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Vec<SocketAddr> {
        text.split_whitespace()
            .map(|one| match one.strip_prefix('v') {
                Some(port) => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port.parse().unwrap())),
                None => SocketAddr::from(([127, 0, 0, 1], one.parse().unwrap())),
            })
            .collect()
    }

    #[test]
    fn families_take_turns_beginning_with_that_of_the_first_or_of_the_good_one() {
        for (addresses, good, order) in [
            ("", None, ""),
            ("1", None, "1"),
            ("1 2 3", None, "1 2 3"),
            ("v1 v2 3 4", None, "v1 3 v2 4"),
            ("1 v2 v3 v4", None, "1 v2 v3 v4"),
            ("v1 v2 v3 4", None, "v1 4 v2 v3"),
            ("1 2 v3", None, "1 v3 2"),
            ("v1 v2 3 4", Some("4"), "4 v1 3 v2"),
            ("v1 v2 3 4", Some("v2"), "v2 3 v1 4"),
            ("1 2 3", Some("3"), "3 1 2"),
            ("1 v2", Some("9"), "1 v2"),
            ("1 1", Some("1"), "1"),
        ] {
            let good = good.map(|good| at(good)[0]);
            assert_eq!(in_order(&at(addresses), good), at(order), "{addresses}, {good:?}");
        }
    }
}
