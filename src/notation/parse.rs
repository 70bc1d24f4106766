use std::net::IpAddr;

use super::{Dictionary, NESTING_MAX, Syntax, SyntaxFault, TEXT_BYTES_MAX, Timestamp, Value, Xml, base64};

/// What counts as white space between the parts of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One line, as on the command line: the space alone.
    Line,
    /// Several lines, as in a settings file: space, tab, CR, LF, `// comment` and `/* comment */`.
    Lines,
}

impl Value {
    /// Parses `text`, which must be one value and white space around it.
    ///
    /// # Errors
    /// [`SyntaxFault`] tells where the text departs from the notation.
    pub fn parse(text: &[u8], form: Form) -> Result<Self, SyntaxFault> {
        let (value, length) = Self::parse_prefix(text, form)?;
        if length < text.len() {
            return Err(SyntaxFault { at: length, what: Syntax::Trailing });
        }
        Ok(value)
    }

    /// Parses the value at the front of `text`; returns it with the offset of the first byte that
    /// belongs neither to it nor to the white space around it.
    ///
    /// # Errors
    /// [`SyntaxFault`] tells where the text departs from the notation.
    pub fn parse_prefix(text: &[u8], form: Form) -> Result<(Self, usize), SyntaxFault> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(SyntaxFault { at: TEXT_BYTES_MAX, what: Syntax::TooLong });
        }
        let mut parser = Parser { text, at: 0, form, nesting: 0 };
        parser.skip_space()?;
        let value = parser.value()?;
        parser.skip_space()?;
        Ok((value, parser.at))
    }
}

/// Bytes of a bare string. The dots, dashes and so on are beyond the formal rule, but clients send
/// names bare.
fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'@' | 0x80..)
}

struct Parser<'a> {
    text: &'a [u8],
    /// Offset of the next byte.
    at: usize,
    form: Form,
    /// How many arrays and dictionaries are open.
    nesting: usize,
}

type Parsed<T> = Result<T, SyntaxFault>;

/// Every function below begins at the first byte of what it reads and ends behind the last; white
/// space is skipped between them.
impl<'a> Parser<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    fn fault<T>(&self, what: Syntax) -> Parsed<T> {
        Err(SyntaxFault { at: self.at, what })
    }

    /// Steps over `token` if it is next.
    fn take(&mut self, token: &[u8]) -> bool {
        let is_next = self.rest().starts_with(token);
        if is_next {
            self.at += token.len();
        }
        is_next
    }

    fn expect(&mut self, byte: u8) -> Parsed<()> {
        if self.take(&[byte]) { Ok(()) } else { self.fault(Syntax::Expected(byte)) }
    }

    fn take_while(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let length = rest.iter().position(|&byte| !belongs(byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Steps over the next `end`, and returns what was before it. Faults are laid at `begin`.
    fn take_until(&mut self, end: &[u8], begin: usize) -> Parsed<&'a [u8]> {
        let rest = self.rest();
        let length = rest.windows(end.len()).position(|window| window == end);
        let length = length.ok_or(SyntaxFault { at: begin, what: Syntax::Unended })?;
        self.at += length + end.len();
        Ok(&rest[..length])
    }

    fn skip_space(&mut self) -> Parsed<()> {
        match self.form {
            Form::Line => {
                self.take_while(|byte| byte == b' ');
                Ok(())
            }
            Form::Lines => loop {
                self.take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
                let begin = self.at;
                if self.take(b"//") {
                    self.take_while(|byte| byte != b'\n');
                } else if self.take(b"/*") {
                    self.take_until(b"*/", begin)?;
                } else {
                    return Ok(());
                }
            },
        }
    }

    fn value(&mut self) -> Parsed<Value> {
        match self.peek() {
            Some(b'(') => self.nested(Self::array),
            Some(b'{') => self.nested(Self::dictionary),
            Some(b'[') => self.data(),
            Some(b'#') => self.special(),
            Some(b'<') => self.xml(),
            _ => match self.string()? {
                Some(text) => Ok(Value::String(text)),
                None => self.fault(Syntax::NoValue),
            },
        }
    }

    fn nested(&mut self, inner: fn(&mut Self) -> Parsed<Value>) -> Parsed<Value> {
        if self.nesting == NESTING_MAX {
            return self.fault(Syntax::TooDeep);
        }
        self.nesting += 1;
        let value = inner(self)?;
        self.nesting -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Parsed<Value> {
        self.expect(b'(')?;
        self.skip_space()?;
        let mut values = Vec::new();
        if self.take(b")") {
            return Ok(Value::Array(values));
        }
        loop {
            values.push(self.value()?);
            self.skip_space()?;
            if self.take(b")") {
                return Ok(Value::Array(values));
            }
            self.expect(b',')?;
            self.skip_space()?;
        }
    }

    fn dictionary(&mut self) -> Parsed<Value> {
        self.expect(b'{')?;
        let mut pairs = Vec::new();
        let mut offsets = Vec::new();
        loop {
            self.skip_space()?;
            if self.take(b"}") {
                break;
            }
            offsets.push(self.at);
            let Some(key) = self.string()? else { return self.fault(Syntax::NoKey) };
            self.skip_space()?;
            self.expect(b'=')?;
            self.skip_space()?;
            let value = self.value()?;
            self.skip_space()?;
            self.expect(b';')?;
            pairs.push((key, value));
        }
        let duplicate = |index: usize| SyntaxFault { at: offsets[index], what: Syntax::DuplicateKey };
        Dictionary::from_pairs(pairs).map(Value::Dictionary).map_err(duplicate)
    }

    /// A bare string, or quoted strings joined; `None` when none begins here.
    fn string(&mut self) -> Parsed<Option<String>> {
        let begin = self.at;
        let mut bytes = Vec::new();
        if self.peek() == Some(b'"') {
            loop {
                self.quoted(&mut bytes)?;
                let end = self.at;
                self.skip_space()?;
                if self.peek() != Some(b'"') {
                    self.at = end;
                    break;
                }
            }
        } else {
            bytes.extend_from_slice(self.take_while(is_bare));
            if bytes.is_empty() {
                return Ok(None);
            }
        }
        if bytes.contains(&0) {
            return Err(SyntaxFault { at: begin, what: Syntax::ZeroByte });
        }
        let text = String::from_utf8(bytes).map_err(|_| SyntaxFault { at: begin, what: Syntax::BadUtf8 })?;
        Ok(Some(text))
    }

    /// One quoted string, appended to `out`.
    fn quoted(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        let begin = self.at;
        self.expect(b'"')?;
        loop {
            out.extend_from_slice(self.take_while(|byte| byte != b'"' && byte != b'\\'));
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(_) => self.escape(out)?,
                None => return Err(SyntaxFault { at: begin, what: Syntax::Unended }),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        let fault = SyntaxFault { at: self.at, what: Syntax::BadEscape };
        self.expect(b'\\')?;
        let byte = self.peek().ok_or(fault)?;
        match byte {
            b'"' | b'\\' => out.push(byte),
            b'n' | b'e' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'0'..=b'9' => {
                let text = self.rest().get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
                out.push(text.and_then(|text| text.parse().ok()).ok_or(fault)?);
                self.at += 2;
            }
            b'u' => {
                self.at += 1;
                if !self.take(b"'") {
                    return Err(fault);
                }
                let digits = self.take_while(|byte| byte.is_ascii_hexdigit());
                let text = std::str::from_utf8(digits).ok().filter(|text| (3..=6).contains(&text.len()));
                let code = text.and_then(|text| u32::from_str_radix(text, 16).ok());
                let character = code.and_then(char::from_u32).ok_or(fault)?;
                if self.peek() != Some(b'\'') {
                    return Err(fault);
                }
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => return Err(fault),
        }
        self.at += 1;
        Ok(())
    }

    /// Datablocks, joined.
    fn data(&mut self) -> Parsed<Value> {
        let mut bytes = Vec::new();
        loop {
            let begin = self.at;
            self.expect(b'[')?;
            let mut digits = self.take_until(b"]", begin)?.to_vec();
            digits.retain(|byte| match self.form {
                Form::Line => *byte != b' ',
                Form::Lines => !matches!(byte, b' ' | b'\t' | b'\r' | b'\n'),
            });
            base64::decode(&digits, &mut bytes).ok_or(SyntaxFault { at: begin, what: Syntax::BadBase64 })?;
            let end = self.at;
            self.skip_space()?;
            if self.peek() != Some(b'[') {
                self.at = end;
                return Ok(Value::Data(bytes));
            }
        }
    }

    /// What begins with `#`.
    fn special(&mut self) -> Parsed<Value> {
        let begin = self.at;
        self.expect(b'#')?;
        if self.take(b"NULL#") {
            return Ok(Value::Null);
        }
        if self.take(b"I[") {
            return self.address(begin);
        }
        if self.peek() == Some(b'(') {
            return Err(SyntaxFault { at: begin, what: Syntax::Unreadable });
        }
        if self.take(b"T") {
            let text = self.take_while(|byte| is_bare(byte) || byte == b':');
            let moment = Timestamp::parse(text).ok_or(SyntaxFault { at: begin, what: Syntax::BadTimestamp })?;
            return Ok(Value::Timestamp(moment));
        }
        let number = parse_number(self.take_while(is_bare));
        number.map(Value::Number).ok_or(SyntaxFault { at: begin, what: Syntax::BadNumber })
    }

    /// The rest of `#I[address]:port`.
    fn address(&mut self, begin: usize) -> Parsed<Value> {
        let fault = SyntaxFault { at: begin, what: Syntax::BadAddress };
        let text = std::str::from_utf8(self.take_until(b"]", begin)?);
        let address: IpAddr = text.ok().and_then(|text| text.parse().ok()).ok_or(fault)?;
        if !self.take(b":") {
            return Ok(Value::Address(address, None));
        }
        let digits = std::str::from_utf8(self.take_while(|byte| byte.is_ascii_digit()));
        let port = digits.ok().and_then(|digits| digits.parse().ok()).ok_or(fault)?;
        Ok(Value::Address(address, Some(port)))
    }

    fn xml(&mut self) -> Parsed<Value> {
        let fault = |(offset, what)| SyntaxFault { at: self.at + offset, what };
        let (element, length) = Xml::parse_prefix(self.rest()).map_err(fault)?;
        self.at += length;
        Ok(Value::Xml(element))
    }
}

/// Parses what follows the `#` of a number.
fn parse_number(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => ("-", text),
        None => ("", text),
    };
    let radixes = [("0x", 16), ("0o", 8), ("0b", 2)];
    let prefixed = radixes.iter().find_map(|(prefix, radix)| Some((text.strip_prefix(prefix)?, *radix)));
    let (digits, radix) = prefixed.unwrap_or((text, 10));
    // The sign goes in front of the digits again, because the least number has no positive twin.
    let is_unsigned = digits.starts_with(|first: char| first.is_ascii_alphanumeric());
    if is_unsigned { i64::from_str_radix(&format!("{sign}{digits}"), radix).ok() } else { None }
}
