//! `keyturn serve`: from the command line to a running server, and back.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use keyturn::auth::Recognizer;
use keyturn::auth::argon2id::{Kernel, Selection, selection};
use keyturn::control::{Control, News};
use keyturn::model::Clock;
use keyturn::service::{Count, Service, ServiceSettings, Snapshot};
use keyturn::shard::{Passed, Server};
use keyturn::syslog::{self, FAILURE, MAJOR, Shape, Sink};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use signal_hook::low_level::raise;
use tracing::event;
use tracing_subscriber::layer::SubscriberExt;

use super::certificates::Watch;
use super::check::without_passwords;
use super::data::{Absent, Data};
use super::failure::{Exit, Failure};
use super::issuers;
use super::passed::passed;
use super::rekey::Desk;
use super::settings::Source;
use super::welcome;

/// A signal to stop that follows another so closely is the same one: timeout(1), for example,
/// sends it to the process and to its group.
const SAME_SIGNAL: Duration = Duration::from_millis(100);

/// Serves until a signal says to stop; hashes with the fastest kernel, or with `kernel`.
///
/// # Errors
/// The server could not start.
pub(crate) fn serve(path: &Path, kernel: Option<Kernel>, source: &Source) -> Result<(), Failure> {
    let passed = passed()?;
    // Before any thread: a signal that arrives during the start waits here.
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1]).map_err(Failure::failed)?;
    let data = Data::open(path, source, Absent::Create { main_domain: None })?;
    let log = Log::start(data.config.live.log_level)?;
    let version = env!("CARGO_PKG_VERSION");
    event!(target: "SYSTEM", MAJOR, "keyturn {version} is starting, data in {}", path.display());
    let result = run(&data, path, kernel, source, &log, &mut signals, passed);
    // The log ends before the message of a failure begins.
    log.sink.flush();
    result
}

fn run(
    data: &Data,
    path: &Path,
    kernel: Option<Kernel>,
    source: &Source,
    log: &Log,
    signals: &mut Signals,
    passed: Vec<Passed>,
) -> Result<(), Failure> {
    if let Some(done) = welcome::found(data, path)? {
        event!(target: "SYSTEM", MAJOR, "{done}");
    }
    data.complete()?;
    raise_open_files();
    let clock = Clock::new();
    let control = Arc::new(Control::new(data.config.clone(), !source.listen.is_empty(), clock.clone()));
    let level = log.handle.clone();
    control.observe(move |news| match news {
        News::Settings(live) => level.set_level(live.log_level),
        News::Stop => stop_as_by_signal(),
    });
    control.open(&data.directory)?;
    if let Some(warning) = without_passwords(&data.config.listeners, data.directory.seals()) {
        event!(target: "SYSTEM", MAJOR, "{warning}");
    }
    let issuers = issuers::load(&control.config())?;
    // Whoever finds the server serving can ask it for whatever a command asks for.
    let desk = Desk::open(path).map_err(|fault| Failure::failed(format_args!("{}: {fault}", path.display())))?;
    let service = start_service(data, kernel, &control);
    service.trust(issuers);
    // Before they are read for the first time: what is replaced meanwhile is read again.
    let watch = Watch::new(&control.config());
    let server = match Server::start(&control, &service, passed) {
        Ok(server) => server,
        Err(fault) => {
            service.stop();
            return Err(Failure::failed(fault));
        }
    };
    tell(&[NotifyState::Ready]);
    obey(signals, data, &desk, source, &control, (&server, &service), &watch);
    tell(&[NotifyState::Stopping]);
    event!(target: "SYSTEM", MAJOR, "keyturn is stopping, {} sessions", server.sessions());
    thread::scope(|scope| {
        let handle = signals.handle();
        scope.spawn(|| cut_short(signals, log, &clock));
        server.stop();
        service.stop();
        handle.close();
    });
    event!(target: "SYSTEM", MAJOR, "keyturn has stopped");
    Ok(())
}

fn start_service(data: &Data, kernel: Option<Kernel>, control: &Arc<Control>) -> Service {
    let config = control.config();
    let settings = ServiceSettings {
        workers: thread::available_parallelism().map_or(1, usize::from),
        kernel: kernel.unwrap_or_else(fastest_kernel),
        cost: config.argon2id,
        queue_time_max: config.live.queue,
        queue_length_max: config.live.queue_length_max,
        password_characters_min: config.live.password_characters_min,
    };
    let (name, workers) = (settings.kernel.as_str(), settings.workers);
    event!(target: "SYSTEM", MAJOR, "hashing with the {name} kernel in {workers} threads");
    let store = Arc::clone(&data.store);
    let service = Service::start(data.directory.clone(), store, Recognizer::new(), settings, control);
    let bounded = service.clone();
    control.observe(move |news| {
        if let News::Settings(live) = news {
            bounded.apply(live.queue, live.queue_length_max, live.password_characters_min);
        }
    });
    service
}

/// Stops the server just as SIGTERM does.
fn stop_as_by_signal() {
    if let Err(fault) = raise(SIGTERM) {
        event!(target: "SYSTEM", FAILURE, "the server cannot be stopped: {fault}");
    }
}

/// Does what signals say, until one says to stop; looks after the certificates meanwhile.
fn obey(
    signals: &mut Signals,
    data: &Data,
    desk: &Desk,
    source: &Source,
    control: &Control,
    (server, service): (&Server, &Service),
    watch: &Watch,
) {
    let config = control.config();
    thread::scope(|scope| {
        let attend = move || desk.attend(data, source);
        if let Err(fault) = thread::Builder::new().name("rekey".into()).spawn_scoped(scope, attend) {
            event!(target: "SYSTEM", FAILURE, "keyturn rekey is not heard: {fault}");
        }
        let keeper = thread::Builder::new().name("certificates".into());
        let mut told = service.snapshot();
        let keeper = (!config.certificates.is_empty()).then(|| keeper.spawn_scoped(scope, || watch.keep(server)));
        for signal in signals.forever() {
            match signal {
                SIGHUP => reload(data, source, control, (server, service), watch),
                SIGUSR1 => told = tell_counters(server, service, &told),
                _ => break,
            }
        }
        match keeper {
            Some(Ok(keeper)) => watch.end(keeper.thread()),
            Some(Err(fault)) => event!(target: "SYSTEM", FAILURE, "certificates are not looked after: {fault}"),
            None => {}
        }
        desk.close();
    });
}

/// Says what was done so far, and how fast since it was `told` last; returns what it now told.
fn tell_counters(server: &Server, service: &Service, told: &Snapshot) -> Snapshot {
    let (sessions, kernel, now) = (server.sessions(), service.kernel().as_str(), service.snapshot());
    let hashes = now.per_second_since(told, Count::Hashes);
    event!(target: "SYSTEM", MAJOR, "sessions={sessions} kernel={kernel} hashes_per_second={hashes:.1} {now}");
    now
}

/// A kernel that this processor could run and that makes wrong hashes is a fault worth knowing.
fn fastest_kernel() -> Kernel {
    let Selection { kernel, failed } = selection();
    for failed in failed {
        let failed = failed.as_str();
        event!(target: "SYSTEM", FAILURE, "the {failed} kernel makes wrong hashes on this processor and is not used");
    }
    *kernel
}

/// Ends the process at a second signal to stop; returns when `signals` is closed.
fn cut_short(signals: &mut Signals, log: &Log, clock: &Clock) {
    let first = clock.now();
    let is_second = |signal| [SIGTERM, SIGINT].contains(&signal) && clock.now().since(first) > SAME_SIGNAL;
    if signals.forever().any(is_second) {
        event!(target: "SYSTEM", FAILURE, "stopped at once by a second signal; sessions were cut off");
        log.sink.flush();
        std::process::exit(Exit::CutShort.code().into());
    }
}

/// Reads the configuration again and puts in force what can be; a file with mistakes changes
/// nothing.
fn reload(data: &Data, source: &Source, control: &Control, (server, service): (&Server, &Service), watch: &Watch) {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
    let result =
        source.load(Some(&data.config.main_domain)).and_then(|file| Ok(control.reload(file, &data.directory)?));
    match result {
        Ok(()) => {
            watch.read(control.config().certificates, server);
            match issuers::load(&control.config()) {
                Ok(issuers) => service.trust(issuers),
                Err(fault) => {
                    let fault = fault.text;
                    event!(target: "SYSTEM", FAILURE, "keys not read, those of before stay in use: {fault}");
                }
            }
        }
        Err(failure) => {
            for problem in failure.text.lines() {
                event!(target: "SYSTEM", FAILURE, "configuration not applied: {problem}");
            }
        }
    }
    tell(&[NotifyState::Ready]);
}

/// Tells systemd, if it is there; a server that nobody supervises has nobody to tell.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(fault) = sd_notify::notify(state) {
        event!(target: "SYSTEM", FAILURE, "the service manager cannot be told: {fault}");
    }
}

/// Allows this process as many descriptors as it may have: one is needed for each session, and
/// the limit that is set by default is for programs that use select(2).
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(errno) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        event!(target: "SYSTEM", FAILURE, "the limit of open files stays at {:?}: {errno}", limit.current);
    }
}

/// The running System Log.
struct Log {
    sink: Sink,
    handle: syslog::Handle,
}

impl Log {
    fn start(level: u8) -> Result<Self, Failure> {
        let shape = Shape::of(&io::stderr());
        syslog::report_panics(shape);
        let sink = Sink::stderr().map_err(Failure::failed)?;
        let into = sink.clone();
        let (layer, handle) = syslog::layer(level, shape, Box::new(move |line| into.write(line)));
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::set_global_default(subscriber).map_err(Failure::failed)?;
        Ok(Self { sink, handle })
    }
}
