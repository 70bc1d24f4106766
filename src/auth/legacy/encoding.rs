//! What the textual forms are made of: numbers and several alphabets of Base64.

use base64ct::Encoding;

/// A decimal number without sign, leading zeros or anything else.
pub(super) fn number(text: &str) -> Option<u32> {
    let is_canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_canonical { text.parse().ok() } else { None }
}

/// The bytes that `text` stands for in an alphabet that needs no padding.
pub(super) fn decode<Alphabet: Encoding>(text: &str) -> Option<Vec<u8>> {
    Alphabet::decode_vec(text).ok()
}

/// As [`decode`], of text that is exactly `N` bytes.
pub(super) fn decode_array<Alphabet: Encoding, const N: usize>(text: &str) -> Option<[u8; N]> {
    decode::<Alphabet>(text)?.try_into().ok()
}

/// As [`decode`], with the standard alphabet (RFC 4648, section 4), padded or not.
pub(super) fn decode_standard(text: &str) -> Option<Vec<u8>> {
    if text.ends_with('=') { decode::<base64ct::Base64>(text) } else { decode::<base64ct::Base64Unpadded>(text) }
}

/// As [`decode`], with the alphabet that passlib calls *adapted base64*: `.` for `+`, no padding.
/// Some software writes the `+` all the same.
pub(super) fn decode_adapted(text: &str) -> Option<Vec<u8>> {
    decode::<base64ct::Base64Pbkdf2>(&text.replace('+', "."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_text() {
        assert_eq!((number("0"), number("10"), number("4294967295")), (Some(0), Some(10), Some(u32::MAX)));
        for bad in ["", "00", "010", "+1", "-1", " 1", "1 ", "4294967296", "1_0", "0x1"] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn base64_may_be_padded_where_ldap_pads_it() {
        for text in ["Zm9vYg==", "Zm9vYg"] {
            assert_eq!(decode_standard(text).as_deref(), Some(&b"foob"[..]));
        }
        for bad in ["Zm9vYg=", "Zm9vYh", "Zm9vY", "Zm9v Yg", "===="] {
            assert_eq!(decode_standard(bad), None, "{bad:?}");
        }
        assert_eq!(decode_adapted("..//"), decode_standard("++//"));
        assert_eq!(decode_adapted("++//"), decode_standard("++//"));
    }
}
