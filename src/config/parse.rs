//! Which keys there are, and what each may hold.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeTable;

use super::fields::{Fields, Problems};
use super::{Address, Certificate, Cleartext, Config, ConfigError, Listener, Live, Restriction, TokenIssuer};
use crate::model::limits::{ARGON2ID_KIB_WRITTEN_MAX, ARGON2ID_M_KIB_MAX, SECRET_BYTES_MAX};
use crate::model::{Argon2idCost, Dialect, DomainName};

/// What stands in the place of a key when the text is not TOML.
const SYNTAX: &str = "syntax";

pub(super) fn parse(text: &str, default: &Config) -> Result<Config, Vec<ConfigError>> {
    let mut problems = Problems::new(text);
    let (document, syntax_errors) = DeTable::parse_recoverable(text);
    let mut unreadable = Vec::new();
    for error in syntax_errors {
        let at = error.span().unwrap_or(0..0);
        let line = problems.line(&at);
        if !unreadable.contains(&line) {
            unreadable.push(line);
            problems.note(&at, SYNTAX, error.message());
        }
    }
    let config = read(&mut problems, document.get_ref(), default.clone());
    let mut list = problems.into_list();
    // The parser goes on behind a mistake with a guess in its place: whatever else is said about
    // such a line would be about the guess.
    list.retain(|error| error.field == SYNTAX || !unreadable.contains(&error.line));
    if list.is_empty() { Ok(config) } else { Err(list) }
}

/// The line of `text`, counted from 1, where `key` stands above the first table; `None`: nowhere.
#[must_use]
pub fn line_of(text: &str, key: &str) -> Option<usize> {
    let (document, _) = DeTable::parse_recoverable(text);
    let (name, _) = document.get_ref().iter().find(|(name, _)| name.get_ref() == key)?;
    Some(Problems::new(text).line(&name.span()))
}

fn read<'i>(problems: &mut Problems<'i>, document: &DeTable<'i>, default: Config) -> Config {
    let mut fields = Fields::new(problems, "", Some(document), 0..0);
    let main_domain = fields.text("main_domain", DomainName::parse).unwrap_or(default.main_domain);
    let shards = fields.number_if_any::<u16>("shards", 1..=1024).and_then(|count| count.try_into().ok());
    let shards = shards.or(default.shards);
    let master_key = fields.text("master_key", path).or(default.master_key);
    let live = read_live(&mut fields, default.live);
    let argon2id = read_cost(&mut fields.table("argon2id"), default.argon2id);
    let certificates = read_certificates(&mut fields).unwrap_or(default.certificates);
    let oauth = read_oauth(&mut fields).unwrap_or(default.oauth);
    let listeners = read_listeners(&mut fields, !certificates.is_empty()).unwrap_or(default.listeners);
    Config { main_domain, shards, master_key, argon2id, certificates, oauth, listeners, live }
}

fn read_live(fields: &mut Fields<'_, '_, '_>, default: Live) -> Live {
    let secret_bytes_max = u64::try_from(SECRET_BYTES_MAX).unwrap_or(u64::MAX);
    Live {
        channels: fields.number("channels", 0..=1_000_000, default.channels),
        channels_for_clients: fields.number("channels_for_clients", 0..=1_000_000, default.channels_for_clients),
        connections_per_address: fields.number(
            "connections_per_address",
            0..=1_000_000,
            default.connections_per_address,
        ),
        ipv6_prefix_length: fields.number("ipv6_prefix_length", 1..=128, default.ipv6_prefix_length),
        idle: seconds(fields.number("idle_seconds", 1..=86_400, default.idle.as_secs())),
        login: seconds(fields.number("login_seconds", 1..=86_400, default.login.as_secs())),
        line: seconds(fields.number("line_seconds", 1..=86_400, default.line.as_secs())),
        drain: seconds(fields.number("drain_seconds", 0..=3_600, default.drain.as_secs())),
        failures_max: fields.number("failures_max", 1..=100, default.failures_max),
        address_failures_max: fields.number("address_failures_max", 0..=1_000_000, default.address_failures_max),
        address_failures: seconds(fields.number(
            "address_failures_seconds",
            1..=86_400,
            default.address_failures.as_secs(),
        )),
        address_block: seconds(fields.number("address_block_seconds", 1..=86_400, default.address_block.as_secs())),
        failed_reply_delay: fields
            .number_if_any("failed_reply_delay_ms", 0..=60_000)
            .map_or(default.failed_reply_delay, Duration::from_millis),
        password_characters_min: fields.number(
            "password_length_min",
            1..=secret_bytes_max,
            default.password_characters_min,
        ),
        queue: seconds(fields.number("queue_seconds", 1..=60, default.queue.as_secs())),
        queue_length_max: fields.number("queue_length_max", 1..=1_000_000, default.queue_length_max),
        log_level: fields.number("log_level", 0..=5, default.log_level),
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn read_cost(fields: &mut Fields<'_, '_, '_>, default: Argon2idCost) -> Argon2idCost {
    let p = fields.number("p", 1..=16, default.p);
    // Fewer blocks than 8 per lane are no Argon2 (RFC 9106, section 3.1).
    let m_kib = fields.number("m_kib", 8 * u64::from(p)..=u64::from(ARGON2ID_M_KIB_MAX), default.m_kib);
    let t = fields.number("t", 1..=ARGON2ID_KIB_WRITTEN_MAX / u64::from(m_kib), default.t);
    Argon2idCost { m_kib, t, p }
}

fn read_certificates(fields: &mut Fields<'_, '_, '_>) -> Option<Vec<Certificate>> {
    let certificates = fields.tables("certificate", |fields| {
        let chain = fields.text_needed("chain", path);
        let key = fields.text_needed("key", path);
        Some(Certificate { chain: chain?, key: key? })
    })?;
    Some(certificates.into_iter().flatten().collect())
}

fn read_oauth(fields: &mut Fields<'_, '_, '_>) -> Option<Vec<TokenIssuer>> {
    let issuers = fields.tables("oauth", |fields| {
        let issuer = fields.text_needed("issuer", something);
        let audience = fields.text_needed("audience", something);
        let keys = fields.text_needed("keys", path);
        let claim = fields.text("claim", something).unwrap_or_else(|| TokenIssuer::CLAIM.to_owned());
        Some(TokenIssuer { issuer: issuer?, audience: audience?, keys: keys?, claim })
    })?;
    Some(issuers.into_iter().flatten().collect())
}

fn read_listeners(fields: &mut Fields<'_, '_, '_>, has_certificates: bool) -> Option<Vec<Listener>> {
    let mut seen: Vec<Listener> = Vec::new();
    let listeners = fields.tables("listener", |fields| {
        let listener = read_listener(fields, has_certificates)?;
        if let Some(other) = seen.iter().find(|other| other.overlaps(&listener)) {
            let why = if other.address == listener.address {
                format!("{} is listened on twice", other.address)
            } else {
                format!("overlaps with {}: all addresses are a listener by themselves", other.address)
            };
            fields.refuse("address", why);
        }
        seen.push(listener.clone());
        Some(listener)
    })?;
    Some(listeners.into_iter().flatten().collect())
}

fn read_listener(fields: &mut Fields<'_, '_, '_>, has_certificates: bool) -> Option<Listener> {
    let address = fields.text_needed("address", str::parse::<Address>);
    let is_all_of_ipv6 = address.as_ref().and_then(Address::tcp).is_none_or(|it| it.ip() == Ipv6Addr::UNSPECIFIED);
    let dual_stack = fields.flag_where("dual_stack", is_all_of_ipv6, "is for the address [::]");
    let is_file = matches!(address, None | Some(Address::Unix(_)));
    let mode =
        fields.text("mode", |text| if is_file { mode(text) } else { Err("is for addresses that begin with unix:") });
    let dialect = fields.text("dialect", dialect).unwrap_or_default();
    let domain = fields.text("domain", DomainName::parse);
    let hide_version = fields.flag("hide_version", false);
    let tls = fields.flag_where("tls", has_certificates, "needs a [[certificate]] with its chain and key");
    let cleartext = fields.text("cleartext", cleartext).unwrap_or_default();
    let apop = fields.flag("apop", false);
    let client_ca = fields.text("client_ca", path);
    let restriction = read_restriction(fields);
    let proxy = fields.networks("proxy").unwrap_or_default();
    let mode = mode.unwrap_or(Listener::DEFAULT_MODE);
    Some(Listener {
        address: address?,
        dual_stack,
        mode,
        dialect,
        domain,
        hide_version,
        tls,
        cleartext,
        apop,
        client_ca,
        restriction,
        proxy,
    })
}

fn something(text: &str) -> Result<String, &'static str> {
    if text.is_empty() { Err("must not be empty") } else { Ok(text.to_owned()) }
}

fn read_restriction(fields: &mut Fields<'_, '_, '_>) -> Restriction {
    match (fields.networks("grant"), fields.networks("deny")) {
        (None, None) => Restriction::Nobody,
        (Some(networks), None) => Restriction::Grant(networks),
        (None, Some(networks)) => Restriction::Deny(networks),
        (Some(_), Some(_)) => {
            fields
                .refuse("deny", "cannot be had together with grant; an entry that begins with ! is left out of grant");
            Restriction::Nobody
        }
    }
}

fn mode(text: &str) -> Result<u16, &'static str> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mode = u16::from_str_radix(text, 8).ok().filter(|mode| is_plain && *mode <= 0o777);
    mode.ok_or("must be permissions in octal digits, such as \"0660\"")
}

fn path(text: &str) -> Result<PathBuf, &'static str> {
    if text.is_empty() || text.contains('\0') { Err("must be the path of a file") } else { Ok(text.into()) }
}

fn cleartext(text: &str) -> Result<Cleartext, String> {
    let found = Cleartext::ALL.into_iter().find(|cleartext| cleartext.as_str() == text);
    found.ok_or_else(|| format!("must be \"loopback\", \"always\" or \"never\", not {text:?}"))
}

fn dialect(text: &str) -> Result<Dialect, String> {
    let all = [Dialect::Communigate, Dialect::Poppassd];
    let found = all.into_iter().find(|dialect| dialect.as_str() == text);
    found.ok_or_else(|| format!("must be \"communigate\" or \"poppassd\", not {text:?}"))
}
