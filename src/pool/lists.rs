//! What `map` gives: two lists, to be read like any other.

use super::outcome::{ThreadException, ThreadResponse};

macro_rules! list {
    ($(#[$doc:meta])* $name:ident, $item:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use]
        pub struct $name(std::vec::IntoIter<$item>);

        impl $name {
            pub(super) fn of(items: Vec<$item>) -> Self {
                Self(items.into_iter())
            }
        }

        impl Iterator for $name {
            type Item = $item;

            fn next(&mut self) -> Option<$item> {
                self.0.next()
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                self.0.size_hint()
            }
        }

        impl ExactSizeIterator for $name {}
        impl std::iter::FusedIterator for $name {}

        impl DoubleEndedIterator for $name {
            fn next_back(&mut self) -> Option<$item> {
                self.0.next_back()
            }
        }
    };
}

list! {
    /// The responses of a `map`, in the order of the requests.
    Responses, ThreadResponse
}
list! {
    /// The exceptions of a `map`, in the order of the requests.
    Exceptions, ThreadException
}
