//! `keyturn doctor`: whether the server can run here, as a table.

use std::fmt::Write;
use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;

use keyturn::auth::{Hasher, Recognizer};
use keyturn::config::{Address, Config};
use keyturn::model::{Argon2idCost, Clock, Secret};
use keyturn::ring::{self, Unavailable};
use rustix::fs::{Access, access};
use rustix::process::{Resource, geteuid, getrlimit};

use super::certificates;
use super::failure::Failure;
use super::master_key;
use super::settings::Source;

/// Descriptors a server needs apart from its sessions, generously: rings, listeners, store, log.
const OTHER_FILES_COUNT: u64 = 256;

/// Whether the system gives huge pages to who asks for them.
const HUGE_PAGES_MODE: &str = "/sys/kernel/mm/transparent_hugepage/enabled";

const LISTENER: &str = "listener";

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Good,
    /// The server runs, but not as one would wish.
    Doubtful,
    /// The server does not run.
    Bad,
}

/// One row of the table.
struct Check {
    name: &'static str,
    state: State,
    detail: String,
    /// What to do about it.
    advice: Option<String>,
}

impl Check {
    fn good(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, state: State::Good, detail: detail.into(), advice: None }
    }

    fn doubtful(name: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, state: State::Doubtful, detail: detail.into(), advice: Some(advice.into()) }
    }

    fn bad(name: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, state: State::Bad, detail: detail.into(), advice: Some(advice.into()) }
    }
}

/// Makes all checks. Returns the table, and how many things keep the server from running.
///
/// # Errors
/// The table could not be put together.
pub(crate) fn doctor(path: &Path, source: &Source) -> Result<(String, usize), Failure> {
    let (configuration, config) = check_configuration(source);
    let mut checks = check_ring();
    checks.push(configuration);
    checks.push(check_certificates(&config));
    checks.push(check_master_key(&config, source));
    checks.push(check_open_files(&config));
    checks.push(check_locked_memory());
    checks.extend(config.listeners.iter().map(|listener| check_listener(&listener.address)));
    checks.push(check_data(path));
    let workers = thread::available_parallelism().map_or(1, usize::from);
    checks.push(check_memory(config.argon2id, workers, available_kib()));
    checks.push(check_huge_pages(fs::read_to_string(HUGE_PAGES_MODE).ok().as_deref()));
    checks.push(check_hashing(config.argon2id, workers)?);
    let bad = checks.iter().filter(|check| check.state == State::Bad).count();
    Ok((table(&checks)?, bad))
}

fn table(checks: &[Check]) -> Result<String, Failure> {
    let mut out = String::new();
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or_default();
    for Check { name, state, detail, advice } in checks {
        let state = match state {
            State::Good => "ok",
            State::Doubtful => "warn",
            State::Bad => "FAIL",
        };
        writeln!(out, "{state:<4}  {name:<width$}  {detail}").map_err(Failure::failed)?;
        if let Some(advice) = advice {
            writeln!(out, "      {:width$}  -> {advice}", "").map_err(Failure::failed)?;
        }
    }
    Ok(out)
}

fn check_configuration(source: &Source) -> (Check, Config) {
    match source.load(None) {
        Ok(config) => {
            let from = source.file.as_ref().map_or("the defaults".to_owned(), |path| path.display().to_string());
            (Check::good("configuration", from), config)
        }
        Err(failure) => {
            let detail = failure.text.lines().next().unwrap_or_default();
            (Check::bad("configuration", detail, "keyturn check shows every problem"), Config::default())
        }
    }
}

fn check_certificates(config: &Config) -> Check {
    const NAME: &str = "certificates";
    match certificates::check(config) {
        Ok(Some(names)) => Check::good(NAME, format!("for {names} names")),
        Ok(None) => Check::good(NAME, "none, so no TLS"),
        Err(fault) => Check::bad(NAME, fault.to_string(), "correct [[certificate]], or client_ca of a listener"),
    }
}

fn check_master_key(config: &Config, source: &Source) -> Check {
    const NAME: &str = "master key";
    match master_key::describe(config, source) {
        Ok(Some(keys)) => Check::good(NAME, keys),
        Ok(None) => Check::good(NAME, "none, so passwords' hashes are not sealed"),
        Err(failure) => Check::bad(NAME, failure.text, "correct master_key, or the file that it names"),
    }
}

/// The kernel and its io_uring.
fn check_ring() -> Vec<Check> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let (major, minor) = ring::KERNEL_MIN;
    match ring::probe() {
        Ok(features) => vec![
            Check::good("kernel", format!("Linux {}, at least {major}.{minor} is needed", features.kernel)),
            Check::good("io_uring", format!("works{features}")),
        ],
        Err(fault @ Unavailable::OldKernel { .. }) => {
            vec![Check::bad("kernel", format!("Linux {release}"), fault.to_string())]
        }
        Err(
            fault @ (Unavailable::Missing
            | Unavailable::Disabled { .. }
            | Unavailable::Forbidden
            | Unavailable::Other(_)),
        ) => {
            let fault = fault.to_string();
            let (detail, advice) = fault.split_once([':', ';']).unwrap_or((&fault, ""));
            vec![Check::good("kernel", format!("Linux {release}")), Check::bad("io_uring", detail, advice.trim())]
        }
    }
}

fn check_open_files(config: &Config) -> Check {
    const NAME: &str = "open files";
    let needed = u64::from(config.live.channels) + OTHER_FILES_COUNT;
    let Some(granted) = getrlimit(Resource::Nofile).maximum else {
        return Check::good(NAME, "no limit");
    };
    let detail = format!("limit {granted}, {needed} are needed for {} channels", config.live.channels);
    if granted >= needed {
        return Check::good(NAME, detail);
    }
    Check::doubtful(NAME, detail, "raise it (LimitNOFILE= in the unit, ulimit -Hn), or lower channels")
}

/// Rings are not counted as locked memory since Linux 5.12, so this is for information.
fn check_locked_memory() -> Check {
    let limit = getrlimit(Resource::Memlock).current;
    let limit = limit.map_or_else(|| "no limit".to_owned(), |bytes| format!("limit {} KiB", bytes >> 10));
    Check::good("locked memory", format!("{limit}; none is needed"))
}

fn check_listener(address: &Address) -> Check {
    match address {
        Address::Ip(address) => check_address(*address),
        Address::Unix(path) => check_socket_path(path),
        Address::Systemd(_) => Check::good(LISTENER, format!("{address} is what systemd opens (keyturn print socket)")),
    }
}

fn check_socket_path(path: &Path) -> Check {
    let shown = path.display();
    let folder = path.parent().unwrap_or(Path::new("/"));
    if !folder.is_dir() {
        let advice = format!("make {} (RuntimeDirectory= in the unit does)", folder.display());
        return Check::bad(LISTENER, format!("{shown} has no folder to be in"), advice);
    }
    if access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let advice = format!("let user {} write to {}", geteuid().as_raw(), folder.display());
        return Check::bad(LISTENER, format!("{shown} cannot be made"), advice);
    }
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            Check::bad(LISTENER, format!("{shown} is something else than a socket"), "remove it or choose another path")
        }
        Ok(_) if UnixStream::connect(path).is_ok() => {
            let advice = "by a running keyturn, or by another program (ss -lxp shows which) that must stop first";
            Check::doubtful(LISTENER, format!("{shown} is in use"), advice)
        }
        _ => Check::good(LISTENER, format!("{shown} is free")),
    }
}

fn check_address(address: SocketAddr) -> Check {
    let Err(fault) = TcpListener::bind(address) else {
        return Check::good(LISTENER, format!("{address} is free"));
    };
    if fault.kind() == ErrorKind::AddrInUse {
        let advice = "by a running keyturn, or by another program (ss -ltnp shows which) that must stop first";
        return Check::doubtful(LISTENER, format!("{address} is in use"), advice);
    }
    if fault.kind() == ErrorKind::PermissionDenied {
        let advice = "run as a service (keyturn print unit), grant CAP_NET_BIND_SERVICE, lower \
                      net.ipv4.ip_unprivileged_port_start, or listen on another port such as 8106";
        return Check::bad(LISTENER, format!("{address} is a privileged port"), advice);
    }
    if fault.kind() == ErrorKind::AddrNotAvailable {
        return Check::bad(LISTENER, format!("{address} is no address of this machine"), "ip address shows them");
    }
    Check::bad(LISTENER, format!("{address} cannot be opened: {fault}"), "correct the listener's address")
}

fn check_data(path: &Path) -> Check {
    const NAME: &str = "data directory";
    let shown = path.display();
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(fault) if fault.kind() == ErrorKind::NotFound => {
            return Check::good(NAME, format!("{shown} will be made at the first start"));
        }
        Err(fault) => return Check::bad(NAME, format!("{shown}: {fault}"), "correct --data"),
    };
    if !metadata.is_dir() {
        return Check::bad(NAME, format!("{shown} is not a directory"), "correct --data");
    }
    if access(path, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let advice = format!("run as user {}, or give it to user {}", metadata.uid(), geteuid().as_raw());
        return Check::bad(NAME, format!("{shown} is not for this user to write"), advice);
    }
    if metadata.mode() & 0o077 != 0 {
        let detail = format!("{shown} is open to other users (mode {:04o})", metadata.mode() & 0o7777);
        return Check::doubtful(NAME, detail, format!("chmod 700 {shown}"));
    }
    Check::good(NAME, format!("{shown}, for this user alone"))
}

/// Memory the system can give without swapping (proc(5), `MemAvailable`).
fn available_kib() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

fn check_memory(cost: Argon2idCost, workers: usize, available_kib: Option<u64>) -> Check {
    const NAME: &str = "memory";
    let needed_kib = u64::from(cost.m_kib).saturating_mul(u64::try_from(workers).unwrap_or(u64::MAX));
    let needed = format!("{} MiB for {workers} hashing threads", needed_kib.div_ceil(1024));
    match available_kib {
        Some(available) if available < needed_kib => Check::bad(
            NAME,
            format!("{} MiB are available, {needed} are needed", available >> 10),
            "lower m_kib in [argon2id], or let the process use fewer CPUs",
        ),
        Some(available) => Check::good(NAME, format!("{} MiB are available, {needed}", available >> 10)),
        None => Check::good(NAME, needed),
    }
}

/// `mode` is the system's list of modes with brackets around its own
/// (admin-guide/mm/transhuge.rst of the kernel's documentation); `None` where it has no huge pages.
fn check_huge_pages(mode: Option<&str>) -> Check {
    const NAME: &str = "huge pages";
    let Some(mode) = mode.and_then(|mode| mode.split_once('[')?.1.split_once(']')).map(|(mode, _)| mode) else {
        return Check::doubtful(NAME, "this kernel has none", "take one with CONFIG_TRANSPARENT_HUGEPAGE");
    };
    let detail = format!("{mode}: without them each hash takes longer");
    match mode {
        "never" => Check::doubtful(NAME, detail, format!("echo madvise > {HUGE_PAGES_MODE}")),
        _ => Check::good(NAME, format!("{mode}, so hashes get them")),
    }
}

/// What a hash takes here, and how many logins a second that makes.
fn check_hashing(cost: Argon2idCost, workers: usize) -> Result<Check, Failure> {
    const HASHES_COUNT: u32 = 5;
    let mut hasher = Hasher::new(cost, Recognizer::new());
    let secret = Secret::new(b"a password to measure with").ok_or_else(|| Failure::failed("no password"))?;
    // The first one pays for the memory.
    hasher.make(&secret, 0);
    let clock = Clock::new();
    let begun = clock.now();
    for _ in 0..HASHES_COUNT {
        hasher.make(&secret, 0);
    }
    let ms = (clock.now().since(begun) / HASHES_COUNT).as_millis().max(1);
    let Argon2idCost { m_kib, t, p } = cost;
    let kernel = hasher.kernel().as_str();
    let detail = format!("argon2id m_kib={m_kib} t={t} p={p}, kernel {kernel}: about {ms} ms, {workers} at a time");
    // Of OWASP's recommendations the one that writes least: 7 MiB in 5 passes.
    if u64::from(m_kib) * u64::from(t) < 7168 * 5 {
        let advice = "the cost is below what is recommended: leave [argon2id] out to have the default";
        return Ok(Check::doubtful("hashing", detail, advice));
    }
    Ok(Check::good("hashing", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_state_detail_and_advice() {
        let checks = [Check::good("kernel", "Linux 6.1"), Check::bad("open files", "limit 5", "raise it")];
        let text = table(&checks).unwrap_or_else(|failure| panic!("{}", failure.text));
        assert_eq!(text, "ok    kernel      Linux 6.1\nFAIL  open files  limit 5\n                  -> raise it\n");
    }

    #[test]
    fn a_port_in_use_and_a_foreign_address_are_told_apart() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(check_address(taken.local_addr().unwrap()).state, State::Doubtful);
        assert_eq!(check_address("192.0.2.1:8106".parse().unwrap()).state, State::Bad);
        assert_eq!(check_address("127.0.0.1:0".parse().unwrap()).state, State::Good);
    }

    #[test]
    fn a_socket_needs_a_folder_and_a_path_of_its_own() {
        use std::os::unix::net::UnixListener;
        use std::path::PathBuf;

        let folder = tempfile::tempdir().unwrap();
        let state = |path: PathBuf| check_listener(&Address::Unix(path)).state;
        let path = folder.path().join("socket");
        assert_eq!(state(path.clone()), State::Good);
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(state(path.clone()), State::Doubtful);
        drop(listener);
        assert_eq!(state(path), State::Good, "nobody listens there");
        fs::write(folder.path().join("file"), "").unwrap();
        assert_eq!(state(folder.path().join("file")), State::Bad);
        assert_eq!(state(folder.path().join("nowhere/socket")), State::Bad);
    }

    #[test]
    fn a_data_directory_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;

        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        assert_eq!(check_data(&path).state, State::Good);
        fs::create_dir(&path).unwrap();
        for (mode, state) in [(0o700, State::Good), (0o750, State::Doubtful)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(check_data(&path).state, state);
        }
        fs::write(path.join("file"), "").unwrap();
        assert_eq!(check_data(&path.join("file")).state, State::Bad);
    }

    #[test]
    fn huge_pages_may_not_be_forbidden() {
        let state = |mode| check_huge_pages(mode).state;
        assert_eq!(state(Some("always [madvise] never\n")), State::Good);
        assert_eq!(state(Some("[always] madvise never\n")), State::Good);
        assert_eq!(state(Some("always madvise [never]\n")), State::Doubtful);
        assert_eq!(state(None), State::Doubtful);
    }

    #[test]
    fn hashing_must_fit_in_memory() {
        let cost = Argon2idCost { m_kib: 1024, t: 1, p: 1 };
        assert_eq!(check_memory(cost, 4, Some(4096)).state, State::Good);
        assert_eq!(check_memory(cost, 4, Some(4095)).state, State::Bad);
    }
}
