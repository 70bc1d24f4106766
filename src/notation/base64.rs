//! Base64 with the standard alphabet (RFC 4648, section 4).

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends `bytes` to `out`, padded.
pub fn encode(bytes: &[u8], out: &mut String) {
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0, |group, byte| group << 8 | usize::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = ALPHABET[group >> (18 - 6 * place) & 63];
            out.push(if place > chunk.len() { '=' } else { char::from(digit) });
        }
    }
}

/// Appends the bytes that `text` stands for to `out`, or returns `None`. The padding may be
/// missing; bits beyond the last byte must be zero, so that every text has one meaning and every
/// meaning one text. What was appended before the fault stays.
#[must_use]
pub fn decode(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let digits = match text {
        [digits @ .., b'=', b'='] | [digits @ .., b'='] if text.len().is_multiple_of(4) => digits,
        _ => text,
    };
    for chunk in digits.chunks(4) {
        let mut group = 0;
        for byte in chunk {
            group = group << 6 | value_of(*byte)?;
        }
        let bit_count = 6 * chunk.len();
        let byte_count = bit_count / 8;
        let spare = bit_count % 8;
        if byte_count == 0 || group & ((1 << spare) - 1) != 0 {
            return None;
        }
        out.extend_from_slice(&(group >> spare).to_be_bytes()[4 - byte_count..]);
    }
    Some(())
}

fn value_of(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_4648_section_10() {
        let cases = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (length, text) in cases.into_iter().enumerate() {
            let bytes = &b"foobar"[..length];
            let mut encoded = String::new();
            encode(bytes, &mut encoded);
            assert_eq!(encoded, text);
            let mut decoded = Vec::new();
            assert!(decode(text.as_bytes(), &mut decoded).is_some());
            assert_eq!(decoded, bytes);
            decoded.clear();
            assert!(decode(text.trim_end_matches('=').as_bytes(), &mut decoded).is_some());
            assert_eq!(decoded, bytes);
        }
        for bad in ["Z", "Zh==", "Zg=", "Zm9=", "Z===", "Zm9v=", "Zg==Zg==", "Zm\n8"] {
            assert_eq!(decode(bad.as_bytes(), &mut Vec::new()), None, "{bad}");
        }
    }
}
