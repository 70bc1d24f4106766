//! How replies look on the wire.

/// Finds the first complete line of `input`: its length with the CR LF that ends it.
///
/// A reply ends with CR LF; a lone LF is left inside the line, where the check of its text finds
/// it.
pub(crate) fn line_bytes(input: &[u8]) -> Option<usize> {
    input.windows(2).position(|pair| pair == b"\r\n").map(|position| position + 2)
}

/// Whether `line` is one of poppwd's replies with one of `codes`: three digits, a space, text
/// without control bytes, CR LF.
pub(crate) fn is_reply(line: &[u8], codes: &[&[u8; 3]]) -> bool {
    let Some(text) = line.strip_suffix(b"\r\n") else {
        return false;
    };
    codes.iter().any(|code| text.starts_with(*code))
        && text.get(3) == Some(&b' ')
        && !text.iter().any(u8::is_ascii_control)
}

/// Whether `line` is a well-formed refusal, of any code from 400 to 599.
pub(crate) fn is_refusal(line: &[u8]) -> bool {
    match line.first_chunk::<3>() {
        Some(code @ [b'4' | b'5', tens, ones]) if tens.is_ascii_digit() && ones.is_ascii_digit() => {
            is_reply(line, &[code])
        }
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_cr_lf_only() {
        assert_eq!(line_bytes(b"200 a\r\n300"), Some(7));
        assert_eq!(line_bytes(b"200 a\n"), None);
        assert_eq!(line_bytes(b"200 a\r"), None);
    }

    #[test]
    fn refusals_are_replies_with_a_four_or_a_five() {
        for line in [&b"515 no\r\n"[..], b"421 later\r\n"] {
            assert!(is_refusal(line), "{line:?}");
        }
        for line in [&b"200 ok\r\n"[..], b"\r\n", b"5xx no\r\n", b"500-no\r\n", b"500 no"] {
            assert!(!is_refusal(line), "{line:?}");
        }
    }

    #[test]
    fn replies_have_a_code_a_space_and_clean_text() {
        for line in [&b"200 ok\r\n"[..], b"300 \r\n"] {
            assert!(is_reply(line, &[b"200", b"300"]), "{line:?}");
        }
        for line in [&b"200\r\n"[..], b"200-ok\r\n", b"500 no\r\n", b"200 a\nb\r\n", b"200 ok"] {
            assert!(!is_reply(line, &[b"200", b"300"]), "{line:?}");
        }
    }
}
