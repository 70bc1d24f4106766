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

/// What a refusal says about the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is not granted, and will not be.
    Denied,
    /// Not now: the server is busy, or has a fault that may pass.
    NotNow,
    /// Nobody knows whether it was carried out.
    Unknown,
}

/// What `line` says, when it is a well-formed refusal: a reply with any code from 400 to 599.
///
/// The protocol has no codes for the three kinds, and some servers know one code only, so it is
/// told by the words in which servers say it.
pub(crate) fn refusal(line: &[u8]) -> Option<Refusal> {
    let code = line.first_chunk::<3>()?;
    let [b'4' | b'5', b'0'..=b'9', b'0'..=b'9'] = code else {
        return None;
    };
    if !is_reply(line, &[code]) {
        return None;
    }
    let text = String::from_utf8_lossy(line).to_ascii_lowercase();
    Some(if text.contains("may or may not") {
        Refusal::Unknown
    } else if code[0] == b'4' || text.contains("try again") || text.contains("busy") {
        Refusal::NotNow
    } else {
        Refusal::Denied
    })
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
    fn refusals_are_replies_with_a_four_or_a_five_and_say_what_they_mean() {
        for (line, meaning) in [
            (&b"515 incorrect password or account name\r\n"[..], Refusal::Denied),
            (b"421 later\r\n", Refusal::NotNow),
            (b"501 server is busy - try again in 1 seconds\r\n", Refusal::NotNow),
            (b"500 Too many connections - Try again later\r\n", Refusal::NotNow),
            (
                b"501 server error - the password may or may not have been changed - try the new one\r\n",
                Refusal::Unknown,
            ),
        ] {
            assert_eq!(refusal(line), Some(meaning), "{}", line.escape_ascii());
        }
        for line in [&b"200 ok\r\n"[..], b"\r\n", b"5xx no\r\n", b"500-no\r\n", b"500 no"] {
            assert_eq!(refusal(line), None, "{}", line.escape_ascii());
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
