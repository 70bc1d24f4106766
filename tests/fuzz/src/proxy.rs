use keyturn::proto::{ProxyHeader, parse_proxy_header};

/// A header is found at its last byte and not before, whatever follows it; a fault stays one; and
/// an address of version 1 says what it was read from.
pub fn proxy(input: &[u8]) {
    let whole = parse_proxy_header(input);
    let mut first = None;
    for cut in 0..=input.len() {
        let found = parse_proxy_header(&input[..cut]);
        match first {
            None if found != Ok(None) => first = Some((cut, found)),
            None => {}
            Some((_, first)) => assert_eq!(found, first, "at {cut}"),
        }
    }
    assert_eq!(whole, first.map_or(Ok(None), |(_, found)| found));
    let Some((cut, Ok(Some(ProxyHeader { source, length })))) = first else { return };
    assert_eq!(cut, length);
    if let (Some(source), Ok(line)) = (source, str::from_utf8(&input[..length]))
        && line.starts_with("PROXY TCP4 ")
    {
        assert!(line.starts_with(&format!("PROXY TCP4 {} ", source.ip())), "{line}");
        assert_eq!(line.trim_end().split(' ').nth(4), Some(source.port().to_string().as_str()), "{line}");
    }
}
