//! The hash functions of the Digest scheme. The only file that names `md5` and `sha2`.

use std::fmt::Write as _;

use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};

/// What a challenge may ask to be hashed by, the better ones last. SHA-256 is as strong as
/// SHA-512-256, and everybody means the same by it: the example of RFC 7616 §3.9.2 was computed
/// by a SHA-512 that is cut off, and some servers do as it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Algorithm {
    Md5,
    Sha512Of256,
    Sha256,
}

impl Algorithm {
    /// By its name, without `-sess`, in any letter case.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Md5, Self::Sha512Of256, Self::Sha256]
            .into_iter()
            .find(|algorithm| name.eq_ignore_ascii_case(algorithm.name()))
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha512Of256 => "SHA-512-256",
            Self::Sha256 => "SHA-256",
        }
    }

    /// The hash of the parts with a colon between each two, in hexadecimal.
    pub(super) fn hex(self, parts: &[&[u8]]) -> String {
        match self {
            Self::Md5 => hex::<Md5>(parts),
            Self::Sha512Of256 => hex::<Sha512_256>(parts),
            Self::Sha256 => hex::<Sha256>(parts),
        }
    }
}

fn hex<D: Digest>(parts: &[&[u8]]) -> String {
    let mut hasher = D::new();
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            hasher.update(b":");
        }
        hasher.update(part);
    }
    hasher.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::Algorithm::{Md5, Sha256, Sha512Of256};

    #[test]
    fn known_vectors_come_out() {
        let abc: &[&[u8]] = &[b"abc"];
        assert_eq!(Md5.hex(abc), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(
            Sha256.hex(abc),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            Sha512Of256.hex(abc),
            "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"
        );
        assert_eq!(Md5.hex(&[b"a", b"", b"b"]), Md5.hex(&[b"a::b"]));
    }
}
