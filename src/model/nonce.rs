use std::fmt;

/// 128 random bits that are used once, so that what is asked of a client can be neither foreseen
/// nor have been asked before. It prints as two numbers with a dot between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce(pub [u64; 2]);

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, other] = self.0;
        write!(f, "{one}.{other}")
    }
}
