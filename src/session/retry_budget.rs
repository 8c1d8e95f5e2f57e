//! How many retries may still be made, so that an outage is not multiplied. No clock.

use crate::message::{MILLION, Ration};

/// A balance of retries: each request earns a share of one, and each retry spends one.
///
/// What is earned is written down when a retry is asked for, since it is then known what the
/// request's own policy says of it. Below zero it is what of the reserve has been used: so policies
/// with different reserves can share one balance.
#[derive(Debug, Default)]
pub(crate) struct RetryBudget {
    /// In millionths of a retry.
    balance: i64,
    /// Requests since then, as many as are counted.
    requests: u32,
}

impl RetryBudget {
    /// A request is sent for the first time.
    pub(crate) fn requested(&mut self) {
        self.requests = self.requests.saturating_add(1).min(MOST_REQUESTS);
    }

    /// Takes a retry out, if there is one.
    pub(crate) fn withdraw(&mut self, ration: Ration) -> bool {
        let share = i64::from(ration.share);
        let earned = share.saturating_mul(self.requests.into());
        let most = share.saturating_mul(MOST_REQUESTS.into());
        // What another policy has saved up beyond this one's ceiling stays.
        let most = most.max(self.balance);
        self.balance = self.balance.saturating_add(earned).min(most);
        self.requests = 0;
        let reserve = i64::from(ration.reserve).saturating_mul(MILLION.into());
        let left = self.balance.saturating_add(reserve).saturating_sub(MILLION.into());
        if left < 0 {
            return false;
        }
        self.balance = self.balance.saturating_sub(MILLION.into());
        true
    }

    /// Whether nothing is lost where this is forgotten, but what was saved up: no more retries could
    /// be made with a new one.
    pub(crate) const fn is_neutral(&self) -> bool {
        self.balance >= 0 || self.requests == MOST_REQUESTS
    }
}

/// How many requests are counted at most: what was saved up over a long good time is no reason to
/// storm a server that is down.
const MOST_REQUESTS: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::RetryPolicy;

    /// What is done with a budget.
    #[derive(Clone, Copy, Debug)]
    enum Did {
        /// So many requests were sent.
        Sent(u32),
        /// So many retries were asked for, and so many granted.
        Asked(u32, u32),
    }
    use Did::{Asked, Sent};

    fn ration(share: f64, reserve: u32) -> Ration {
        RetryPolicy::new(1).budget(share, reserve).ration().unwrap()
    }

    #[track_caller]
    fn play(ration: Ration, events: &[Did]) -> RetryBudget {
        let mut budget = RetryBudget::default();
        for (number, event) in events.iter().enumerate() {
            match *event {
                Sent(requests) => (0..requests).for_each(|_| budget.requested()),
                Asked(asked, granted) => {
                    let got = (0..asked).filter(|_| budget.withdraw(ration)).count();
                    assert_eq!(got, granted as usize, "{number}: {events:?} with {ration:?}");
                }
            }
        }
        budget
    }

    #[test]
    fn there_are_as_many_retries_as_were_earned_and_the_reserve() {
        for (share, reserve, events) in [
            (0.2, 100, &[Asked(200, 100)][..]),
            (0.2, 100, &[Sent(1_000), Asked(1_000, 300), Sent(50), Asked(20, 10)]),
            // Ten times a tenth is one.
            (0.1, 0, &[Sent(10), Asked(2, 1)]),
            (0.1, 0, &[Sent(9), Asked(2, 0), Sent(1), Asked(2, 1)]),
            (0.0, 3, &[Sent(1_000), Asked(5, 3), Sent(1_000), Asked(5, 0)]),
            (0.0, 0, &[Sent(1_000), Asked(1, 0)]),
            (2.0, 0, &[Sent(3), Asked(9, 6)]),
            // A request at a time, each of which fails.
            (0.5, 1, &[Sent(1), Asked(1, 1), Sent(1), Asked(1, 1), Sent(1), Asked(1, 0)]),
            (1000.0, u32::MAX, &[Sent(1_000), Asked(5_000, 5_000)]),
        ] {
            play(ration(share, reserve), events);
        }
    }

    #[test]
    fn no_more_is_saved_up_than_a_thousand_requests_earn() {
        for events in [
            [Sent(1_000_000), Asked(0, 0), Asked(1_000, 210)],
            // Also where it is written down in between.
            [Sent(1_000), Asked(1, 1), Sent(1_000_000)],
        ] {
            play(ration(0.2, 10), &events);
        }
        play(ration(0.2, 10), &[Sent(1_000), Asked(1, 1), Sent(1_000), Asked(500, 210)]);
    }

    #[test]
    fn policies_that_share_a_balance_each_have_their_own_reserve() {
        let mut budget = RetryBudget::default();
        let (small, large) = (ration(0.0, 1), ration(0.0, 3));
        assert!(budget.withdraw(small) && !budget.withdraw(small));
        assert!(budget.withdraw(large) && budget.withdraw(large) && !budget.withdraw(large));
        // What one has earned another one does not lose.
        let mut budget = RetryBudget::default();
        (0..10).for_each(|_| budget.requested());
        assert!(budget.withdraw(ration(1.0, 0)) && budget.withdraw(ration(0.0, 0)));
    }

    #[test]
    fn one_that_has_used_its_reserve_is_not_forgotten_before_it_has_earned_it_again() {
        let ration = ration(0.5, 2);
        assert!(RetryBudget::default().is_neutral());
        assert!(play(ration, &[Sent(900)]).is_neutral());
        assert!(play(ration, &[Sent(4), Asked(1, 1)]).is_neutral());
        assert!(!play(ration, &[Asked(1, 1)]).is_neutral());
        assert!(!play(ration, &[Asked(2, 2), Sent(999)]).is_neutral());
        assert!(play(ration, &[Asked(2, 2), Sent(1_000)]).is_neutral());
        assert!(play(ration, &[Asked(2, 2), Sent(2_000)]).is_neutral());
    }
}
