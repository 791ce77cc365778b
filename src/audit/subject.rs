//! Whom a decision is about, as a keyed hash: searchable by who has the person's id, useless to who has only the
//! log. Absent: the id itself, anywhere.

use sha2::{Digest, Sha256};

use crate::store::Hash;

/// The key of the subject hash (HMAC-SHA-256).
#[derive(Clone, PartialEq, Eq)]
pub struct SubjectKey([u8; 32]);

impl std::fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SubjectKey(…)")
    }
}

impl SubjectKey {
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The hash of a subject. The flow is not part of it: the same person is found across flows.
    #[must_use]
    pub fn hash(&self, subject: &str) -> Hash {
        hmac(&self.0, subject.as_bytes())
    }
}

/// HMAC-SHA-256 (RFC 2104) with a key no longer than a block.
fn hmac(key: &[u8], message: &[u8]) -> Hash {
    const BLOCK: usize = 64;
    let mut pad = [0_u8; BLOCK];
    for (slot, byte) in pad.iter_mut().zip(key) {
        *slot = *byte;
    }
    let inner = Sha256::new().chain_update(pad.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_rfc_4231() {
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let hash = hmac(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(data_encoding::HEXLOWER.encode(&hash), expected);
    }
}
