//! The raw-ring engine: what can the input/output of a server do at most, and at what cost?
//!
//! One thread, one io_uring, no scripts beyond a few fixed ones. It is closed-loop, so its
//! latencies describe a server that is kept busy, not one that users see; the exception is
//! `noop-probe`, which is paced. When the engine itself is the bottleneck it says so: then
//! `ops_per_s` is the generator's limit, and the server's CPU time per operation is the number to
//! go by.

mod idle;
mod meter;
mod probe;
mod ring;
mod script;
mod stream;

use std::io;
use std::net::TcpStream;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::report::{self, Report};
use crate::target::{Login, Protocol, Server, Talk, first_line_of_stdin};
use meter::Meter;
use stream::Exchange;

/// What `peak` is asked to do.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What to do
    workload: Workload,
    #[command(flatten)]
    server: Server,
    /// What it speaks
    #[arg(long, value_enum, default_value_t = Protocol::Keyturn)]
    protocol: Protocol,
    /// Connections at a time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Requests per send (pipelined)
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    pipeline: u32,
    /// Requests per second over all connections (noop-probe)
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,
    /// Length of the measurement, after a short warm-up
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Log in with this name first; `{}` stands for the connection's index (needed by changes)
    #[arg(long, requires = "password_stdin")]
    user: Option<String>,
    /// Read the password of all these accounts from the first line of standard input
    #[arg(long, requires = "user")]
    password_stdin: bool,
    /// Also measure the processor time of this process, which runs on this machine
    #[arg(long)]
    server_pid: Option<u32>,
    /// Let every idle connection make one request (idle)
    #[arg(long)]
    touch: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Workload {
    /// One request in flight per connection
    Pingpong,
    /// Several requests per send, one batch in flight per connection
    Pipelined,
    /// Connect, greeting, QUIT, answer, end of file; again
    Churn,
    /// Hold open connections until standard input ends
    Idle,
    /// Paced requests, latency from the moment each was due
    NoopProbe,
    /// Connect, log in, change the password, quit; again
    Changes,
}

/// Runs one workload and prints what it found.
///
/// # Errors
/// When the server cannot be reached or does not answer as it should.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    if options.workload == Workload::Idle {
        let count = options.connections as usize;
        return idle::run(options.server.address()?, options.protocol, count, options.touch, options.json);
    }
    let login = options.login()?;
    let mut report = Report::default();
    report.text("workload", name(&options.workload));
    report.text("protocol", name(&options.protocol));
    report.count("connections", options.connections);
    let length = Duration::try_from_secs_f64(options.seconds).map_err(io::Error::other)?;
    let meter = || Meter::new(length, options.server_pid);
    let meter = match options.workload {
        Workload::Pingpong => options.stream(1, login.as_ref(), meter)?,
        Workload::Pipelined => {
            report.count("pipeline", options.pipeline);
            options.stream(options.pipeline, login.as_ref(), meter)?
        }
        Workload::NoopProbe => options.probe(login.as_ref(), meter, &mut report)?,
        Workload::Churn => {
            let cast = vec![script::shortest(options.protocol)];
            let mut meter = meter();
            script::run(options.server.address()?, vec![cast; options.connections as usize], &mut meter)?;
            meter
        }
        Workload::Changes => options.changes(login.as_ref(), meter)?,
        Workload::Idle => unreachable!("handled above: it measures nothing"),
    };
    let is_saturated = meter.conclude(&mut report)?;
    report.print(options.json)?;
    if is_saturated {
        report::warn("this generator was the bottleneck: ops_per_s is its own limit, not the server's");
    }
    Ok(())
}

impl Options {
    fn login(&self) -> io::Result<Option<Login>> {
        let Some(user) = self.user.clone() else {
            return Ok(None);
        };
        Ok(Some(Login { user, password: first_line_of_stdin()? }))
    }

    /// Opens all connections, logged in if a name was given, and learns the reply to the request
    /// that asks for nothing.
    fn connect(&self, login: Option<&Login>) -> io::Result<(Vec<TcpStream>, Vec<u8>)> {
        let mut reply = Vec::new();
        let mut sockets = Vec::new();
        for index in 0..self.connections as usize {
            let mut talk = Talk::open(self.server.address()?, self.protocol, None)?;
            if let Some(login) = login {
                talk.log_in(&login.user(index), &login.password)?;
            }
            reply = talk.no_operation(self.protocol)?;
            sockets.push(talk.into_stream());
        }
        Ok((sockets, reply))
    }

    fn stream(&self, pipeline: u32, login: Option<&Login>, meter: impl FnOnce() -> Meter) -> io::Result<Meter> {
        let (sockets, reply) = self.connect(login)?;
        let exchange = Exchange {
            requests: self.protocol.no_operation().repeat(pipeline as usize).leak(),
            replies: reply.repeat(pipeline as usize),
            count: pipeline.into(),
        };
        let mut meter = meter();
        stream::run(sockets, &exchange, &mut meter)?;
        Ok(meter)
    }

    fn probe(&self, login: Option<&Login>, meter: impl FnOnce() -> Meter, report: &mut Report) -> io::Result<Meter> {
        let (sockets, reply) = self.connect(login)?;
        let mut meter = meter();
        let aside = probe::run(sockets, self.protocol.no_operation(), &reply, self.rate, &mut meter)?;
        report.count("rate", self.rate);
        meter::add_latency(report, ["late_p50_us", "late_p99_us", "late_p999_us", "late_max_us"], &aside.late);
        let names = ["sent_p50_us", "sent_p99_us", "sent_p999_us", "sent_max_us"];
        meter::add_latency(report, names, &aside.from_sent);
        Ok(meter)
    }

    fn changes(&self, login: Option<&Login>, meter: impl FnOnce() -> Meter) -> io::Result<Meter> {
        let login = login.ok_or_else(|| io::Error::other("changes needs --user and --password-stdin"))?;
        let other = format!("{} too", login.password);
        let casts = (0..self.connections as usize)
            .map(|index| {
                let user = login.user(index);
                vec![script::change(&user, &login.password, &other), script::change(&user, &other, &login.password)]
            })
            .collect();
        let mut meter = meter();
        script::run(self.server.address()?, casts, &mut meter)?;
        Ok(meter)
    }
}

/// The word that stands for `value` on the command line.
fn name(value: &impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |possible| possible.get_name().to_owned())
}
