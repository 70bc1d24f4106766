//! A configuration as the settings of CommuniGate Pro's module PWD.
//!
//! ```text
//! {IdleTimeout=300; Listener={MaxInputChannels=50;Ports=({PortNumber=106;});}; LogLevel=3;}
//! ```

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Config, Listener};
use crate::notation::{Dictionary, Value};

/// The dictionary inside the settings that is about the listeners.
const LISTENER: &str = "Listener";

const PORTS: &str = "Ports";
const PORT_NUMBER: &str = "PortNumber";
const LOCAL_ADDRESS: &str = "LocalAddress";
const INITIAL_SECURITY: &str = "InitialSecurity";

/// A setting of the module that is a number.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    /// Its key in the module's settings.
    pub key: &'static str,
    /// Its key in the configuration file, which says what it means.
    pub file_key: &'static str,
    /// Whether it is among the settings of the listeners.
    pub is_of_listener: bool,
    /// What it must be, as the file's reader says it.
    pub must: &'static str,
}

const fn number(key: &'static str, file_key: &'static str, must: &'static str) -> Number {
    Number { key, file_key, is_of_listener: false, must }
}

const fn of_listener(key: &'static str, file_key: &'static str, must: &'static str) -> Number {
    Number { key, file_key, is_of_listener: true, must }
}

/// Every setting of the module but the ports.
pub const NUMBERS: &[Number] = &[
    number("AddressBlockTime", "address_block_seconds", "must be 1 to 86400"),
    number("AddressFailuresLimit", "address_failures_max", "must be 0 to 1000000"),
    number("AddressFailuresTime", "address_failures_seconds", "must be 1 to 86400"),
    number("DrainTime", "drain_seconds", "must be 0 to 3600"),
    number("FailedReplyDelay", "failed_reply_delay_ms", "must be 0 to 60000"),
    number("FailuresLimit", "failures_max", "must be 1 to 100"),
    number("IdleTimeout", "idle_seconds", "must be 1 to 86400"),
    number("LineTimeout", "line_seconds", "must be 1 to 86400"),
    number("LogLevel", "log_level", "must be 0 to 5"),
    number("LoginTimeout", "login_seconds", "must be 1 to 86400"),
    number("PasswordLengthLimit", "password_length_min", "must be 1 to 1024"),
    number("QueueLengthLimit", "queue_length_max", "must be 1 to 1000000"),
    number("QueueTime", "queue_seconds", "must be 1 to 60"),
    of_listener("IPv6PrefixLength", "ipv6_prefix_length", "must be 1 to 128"),
    of_listener("MaxConnectionsPerAddress", "connections_per_address", "must be 0 to 1000000"),
    of_listener("MaxInputChannels", "channels", "must be 0 to 1000000"),
    of_listener("ReservedForClients", "channels_for_clients", "must be 0 to 1000000"),
];

/// What is wrong with the settings of a module. It never quotes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleFault {
    key: &'static str,
    why: &'static str,
}

impl fmt::Display for ModuleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.why)
    }
}

impl std::error::Error for ModuleFault {}

impl Config {
    /// This configuration as the module's settings: every one there is.
    #[must_use]
    pub fn module(&self) -> Dictionary {
        let text = self.to_string();
        let value = |number: &Number| {
            let line = text.lines().find_map(|line| line.strip_prefix(number.file_key)?.strip_prefix(" = "));
            (number.key, Value::from(line.unwrap_or_default()))
        };
        let ports = self.listeners.iter().filter_map(port).map(Value::Dictionary).collect();
        let mut listener: Dictionary = NUMBERS.iter().filter(|it| it.is_of_listener).map(value).collect();
        listener.insert(PORTS, Value::Array(ports));
        let mut settings: Dictionary = NUMBERS.iter().filter(|it| !it.is_of_listener).map(value).collect();
        settings.insert(LISTENER, Value::Dictionary(listener));
        settings
    }

    /// This configuration with `settings` of the module in the place of its own. Keys that it does
    /// not have mean nothing; numbers may be strings, and times may have one of the units `s m h d w`.
    ///
    /// # Errors
    /// The first [`ModuleFault`] there is.
    pub fn with_module(&self, settings: &Dictionary) -> Result<Self, ModuleFault> {
        let listener = match settings.get(LISTENER) {
            None => Dictionary::new(),
            Some(Value::Dictionary(listener)) => listener.clone(),
            Some(_) => return Err(ModuleFault { key: LISTENER, why: "must be a dictionary" }),
        };
        let mut text = String::new();
        for number in NUMBERS {
            let place = if number.is_of_listener { &listener } else { settings };
            let fault = ModuleFault { key: number.key, why: number.must };
            if let Some(value) = place.get(number.key) {
                let amount = amount(value, number.file_key).ok_or(fault)?;
                let line = format!("{} = {amount}\n", number.file_key);
                // Each by itself, so that it is known whose mistake it was.
                self.parse_over(&line).map_err(|_| fault)?;
                text.push_str(&line);
            }
        }
        let mut config = self.parse_over(&text).map_err(|_| ModuleFault { key: LISTENER, why: "cannot be used" })?;
        if let Some(ports) = listener.get(PORTS) {
            config.listeners = self.listeners_at(ports)?;
        }
        Ok(config)
    }

    /// The listeners that the table `ports` describes, and those that are no ports. One that is there
    /// already stays where it is, and as it is in all that the table does not say.
    fn listeners_at(&self, ports: &Value) -> Result<Vec<Listener>, ModuleFault> {
        const FAULT: ModuleFault = ModuleFault { key: PORTS, why: "must be an array of dictionaries" };
        let Value::Array(rows) = ports else { return Err(FAULT) };
        let mut fresh: Vec<Listener> = Vec::new();
        for row in rows {
            let Value::Dictionary(row) = row else { return Err(FAULT) };
            let Some(listener) = self.listener_at(row)? else { continue };
            if fresh.iter().any(|other| other.overlaps(&listener)) {
                return Err(ModuleFault { key: PORTS, why: "must not have a port twice" });
            }
            fresh.push(listener);
        }
        let mut listeners = Vec::new();
        for old in &self.listeners {
            match fresh.iter().position(|listener| listener.address == old.address) {
                Some(index) => listeners.push(fresh.remove(index)),
                None if old.address.tcp().is_none() => listeners.push(old.clone()),
                None => {}
            }
        }
        listeners.append(&mut fresh);
        if listeners.is_empty() {
            return Err(ModuleFault {
                key: PORTS,
                why: "must have a port - set MaxInputChannels to 0 to close them all",
            });
        }
        Ok(listeners)
    }

    /// The listener that `row` describes: none for port 0, by which clients remove a row.
    fn listener_at(&self, row: &Dictionary) -> Result<Option<Listener>, ModuleFault> {
        let port = match row.get(PORT_NUMBER).map_or(Some(0), |value| amount(value, "")).map(u16::try_from) {
            Some(Ok(0)) => return Ok(None),
            Some(Ok(port)) => port,
            Some(Err(_)) | None => return Err(ModuleFault { key: PORT_NUMBER, why: "must be 1 to 65535" }),
        };
        let ip = match row.get(LOCAL_ADDRESS) {
            None => None,
            Some(Value::Address(ip, _)) => Some(*ip),
            Some(value) => match value.as_str().unwrap_or("?") {
                "" | "*" => None,
                text => {
                    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
                    let fault = ModuleFault { key: LOCAL_ADDRESS, why: "must be an address of this machine" };
                    Some(bare.parse().map_err(|_| fault)?)
                }
            },
        };
        let is_there = |it: SocketAddr| it.port() == port && ip.is_none_or(|ip| it.ip() == ip);
        let is_it = |it: &&Listener| it.address.tcp().is_some_and(is_there);
        let everywhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let new = || Listener::at(SocketAddr::new(ip.unwrap_or(everywhere), port));
        let mut listener = self.listeners.iter().find(is_it).cloned().unwrap_or_else(new);
        if let Some(value) = row.get(INITIAL_SECURITY) {
            listener.tls = self.initial_security(value)?;
        }
        Ok(Some(listener))
    }

    /// Whether a listener begins with TLS.
    fn initial_security(&self, value: &Value) -> Result<bool, ModuleFault> {
        let fault = |why| Err(ModuleFault { key: INITIAL_SECURITY, why });
        match value.as_str().unwrap_or("?").to_lowercase().as_str() {
            "off" | "no" => Ok(false),
            "on" | "yes" if self.offers_tls() => Ok(true),
            "on" | "yes" => fault("needs a [[certificate]] in the configuration file"),
            _ => fault("must be on or off"),
        }
    }
}

/// A row of the table of ports; `None` for a listener that is no port.
fn port(listener: &Listener) -> Option<Dictionary> {
    let address = listener.address.tcp()?;
    let row = [
        (PORT_NUMBER, address.port().to_string()),
        (LOCAL_ADDRESS, address.ip().to_string()),
        (INITIAL_SECURITY, if listener.tls { "on" } else { "off" }.to_owned()),
    ];
    Some(row.iter().map(|(key, value)| (*key, Value::from(value.as_str()))).collect())
}

/// The number in `value`; a time, which the file has in seconds, may come with its unit.
fn amount(value: &Value, file_key: &str) -> Option<u64> {
    const UNITS: [(char, u64); 5] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 604_800)];
    if let Value::Number(number) = value {
        return u64::try_from(*number).ok();
    }
    let text = value.as_str()?;
    let with_unit = UNITS.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(*unit)?, *seconds)));
    let (digits, seconds) = with_unit.filter(|_| file_key.ends_with("_seconds")).unwrap_or((text, 1));
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse::<u64>().ok().filter(|_| is_plain)?.checked_mul(seconds)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::notation::Form;

    fn settings(text: &str) -> Dictionary {
        match Value::parse(text.as_bytes(), Form::Line) {
            Ok(Value::Dictionary(dictionary)) => dictionary,
            other => panic!("{text} is no dictionary: {other:?}"),
        }
    }

    fn with(text: &str) -> Result<Config, String> {
        Config::default().with_module(&settings(text)).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_configuration_is_shown_as_the_module_and_read_back() {
        let text = "{AddressBlockTime=600;AddressFailuresLimit=0;AddressFailuresTime=60;DrainTime=10;FailedReplyDelay=1000;FailuresLimit=3;IdleTimeout=300;LineTimeout=30;\
            Listener={IPv6PrefixLength=64;MaxConnectionsPerAddress=0;MaxInputChannels=1000;\
            Ports=({InitialSecurity=off;LocalAddress=\"127.0.0.1\";PortNumber=8106;});ReservedForClients=0;};\
            LoginTimeout=60;LogLevel=3;PasswordLengthLimit=8;QueueLengthLimit=1024;QueueTime=5;}";
        let module = Config::default().module();
        assert_eq!(module, settings(text), "{}", Value::Dictionary(module.clone()));
        let other = Config::parse("idle_seconds = 5\nchannels = 7\nlog_level = 1\nfailures_max = 9").unwrap();
        assert_eq!(Config::default().with_module(&other.module()), Ok(other));
    }

    #[test]
    fn what_each_number_must_be_is_what_the_file_says() {
        for number in NUMBERS {
            let errors = Config::parse(&format!("{} = 99999999999", number.file_key)).unwrap_err();
            assert!(errors[0].why.starts_with(&format!("{}, not", number.must)), "{}: {}", number.key, errors[0].why);
            let text = if number.is_of_listener {
                format!("{{Listener={{{}=99999999999;}};}}", number.key)
            } else {
                format!("{{{}=99999999999;}}", number.key)
            };
            assert_eq!(with(&text).unwrap_err(), format!("{} {}", number.key, number.must));
        }
    }

    #[test]
    fn numbers_are_strings_or_numbers_and_times_may_have_units() {
        let config = with("{LogLevel=#5;IdleTimeout=10m;Listener={MaxInputChannels=\"50\";};Unheard=x;}").unwrap();
        assert_eq!((config.live.log_level, config.live.idle.as_secs(), config.live.channels), (5, 600, 50));
        for text in ["", "x", "-1", "5x", "5mm", "m", "1 m", "9999999999999999999w"] {
            let fault = with(&format!("{{IdleTimeout=\"{text}\";}}")).unwrap_err();
            assert_eq!(fault, "IdleTimeout must be 1 to 86400", "{text}");
        }
        assert_eq!(with("{LogLevel=3m;}").unwrap_err(), "LogLevel must be 0 to 5");
        assert_eq!(with("{LogLevel=(3);}").unwrap_err(), "LogLevel must be 0 to 5");
        assert_eq!(with("{Listener=3;}").unwrap_err(), "Listener must be a dictionary");
    }

    #[test]
    fn ports_are_listeners_and_the_ones_that_were_there_stay_as_they_are() {
        let base = Config::parse(
            "[[listener]]\naddress = \"127.0.0.1:106\"\ndialect = \"poppassd\"\n[[listener]]\naddress = \"[::1]:8106\"\n",
        )
        .unwrap();
        let ip = |text: &str| text.parse::<SocketAddr>().unwrap();
        let ports = |text: &str| {
            let config = base.with_module(&settings(&format!("{{Listener={{Ports={text};}};}}")));
            config.map(|config| config.listeners).map_err(|fault| fault.to_string())
        };
        let all = [base.listeners[0].clone(), Listener::at(ip("0.0.0.0:1106"))];
        assert_eq!(ports("({PortNumber=106;},{PortNumber=1106;InitialSecurity=off;},{PortNumber=0;})").unwrap(), all);
        let here = ports("({PortNumber=8106;LocalAddress=\"[::1]\";},{PortNumber=8106;LocalAddress=#I[127.0.0.1];})");
        assert_eq!(here.unwrap()[1], Listener::at(ip("127.0.0.1:8106")));
        for (text, fault) in [
            ("x", "Ports must be an array of dictionaries"),
            ("(x)", "Ports must be an array of dictionaries"),
            ("()", "Ports must have a port - set MaxInputChannels to 0 to close them all"),
            ("({PortNumber=106;},{PortNumber=106;})", "Ports must not have a port twice"),
            ("({PortNumber=65536;})", "PortNumber must be 1 to 65535"),
            ("({PortNumber=106;LocalAddress=here;})", "LocalAddress must be an address of this machine"),
            (
                "({PortNumber=106;InitialSecurity=on;})",
                "InitialSecurity needs a [[certificate]] in the configuration file",
            ),
            ("({PortNumber=106;InitialSecurity=maybe;})", "InitialSecurity must be on or off"),
        ] {
            assert_eq!(ports(text).unwrap_err(), fault, "{text}");
        }
    }

    #[test]
    fn listeners_that_are_no_ports_are_left_alone() {
        let base = Config::parse(
            "[[listener]]\naddress = \"unix:/run/keyturn\"\n[[listener]]\naddress = \"127.0.0.1:106\"\n\
             [[listener]]\naddress = \"systemd:poppwd\"\n",
        )
        .unwrap();
        assert_eq!(base.with_module(&base.module()).as_ref(), Ok(&base));
        let ports = |text: &str| base.with_module(&settings(text)).unwrap().listeners;
        assert_eq!(ports("{Listener={Ports=();};}"), [base.listeners[0].clone(), base.listeners[2].clone()]);
        let more = ports("{Listener={Ports=({PortNumber=107;});};}");
        assert_eq!(more[2], Listener::at("0.0.0.0:107".parse::<SocketAddr>().unwrap()));
    }

    proptest! {
        #[test]
        fn no_settings_panic(text in "[a-zA-Z0-9=;{}()\"#. ]{0,60}") {
            if let Ok(Value::Dictionary(settings)) = Value::parse(format!("{{{text}}}").as_bytes(), Form::Line) {
                drop(Config::default().with_module(&settings));
            }
        }
    }
}
