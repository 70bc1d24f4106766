//! Overwriting values that may hold passwords.

use zeroize::Zeroize;

use super::{Dictionary, Value};

impl Zeroize for Value {
    /// Overwrites every string and datablock, and leaves null.
    fn zeroize(&mut self) {
        match self {
            Self::String(text) => text.zeroize(),
            Self::Data(bytes) => bytes.zeroize(),
            Self::Array(values) => values.iter_mut().for_each(Self::zeroize),
            Self::Dictionary(dictionary) => dictionary.zeroize(),
            Self::Number(_) | Self::Timestamp(_) | Self::Address(..) | Self::Null | Self::Xml(_) => {}
        }
        *self = Self::Null;
    }
}

impl Zeroize for Dictionary {
    /// Overwrites every value, and leaves it empty.
    fn zeroize(&mut self) {
        self.take_pairs().for_each(|(_, mut value)| value.zeroize());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notation::Form;

    #[test]
    fn nothing_is_left_of_a_wiped_value() {
        let mut value = Value::parse(b"{a=(secret,[AAAA],{b=c;});}", Form::Line).unwrap();
        value.zeroize();
        assert_eq!(value, Value::Null);
    }
}
