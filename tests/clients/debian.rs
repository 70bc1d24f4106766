//! Debian's programs, unpacked by `tests/run --fetch`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::house::source::root;

/// Where the packages lie unpacked; fetches them when they do not yet.
fn unpacked() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let status = Command::new(root().join("tests/run")).arg("--fetch").status().unwrap();
        assert!(status.success(), "the clients that Debian ships are missing; `tests/run --fetch` says why");
        root().join("target/debian/root")
    })
}

/// A program of Debian's: an unpacked one, or the system's own.
pub(crate) fn tool(name: &str) -> Command {
    let root = unpacked();
    // Chromium's own folder comes first: what lies in usr/bin looks for it where it is not.
    let folders = ["usr/lib/chromium", "usr/bin", "usr/sbin", "bin"].map(|folder| root.join(folder).join(name));
    let program = folders.into_iter().find(|path| path.exists()).unwrap_or_else(|| PathBuf::from(name));
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", libraries(root)).env("LC_ALL", "C.UTF-8");
    if root.join("usr/share/nmap").exists() {
        command.env("NMAPDIR", root.join("usr/share/nmap"));
    }
    command
}

/// Where unpacked packages have what is the same on all machines.
pub(crate) fn share() -> PathBuf {
    unpacked().join("usr/share")
}

/// The folders of unpacked libraries. Some lie in one of their own: BLAS for `update-alternatives`,
/// others because they belong to one program or are loaded while it runs.
fn libraries(root: &Path) -> String {
    let mut folders = Vec::new();
    for base in [root.join("usr/lib"), root.join("lib")] {
        for entry in std::fs::read_dir(base).into_iter().flatten() {
            let folder = entry.unwrap().path();
            folders.extend(["blas", "nss", "pulseaudio"].map(|part| folder.join(part)));
            folders.push(folder);
        }
    }
    folders.iter().map(|folder| folder.to_str().unwrap()).collect::<Vec<_>>().join(":")
}

/// Runs one of the PHP files beside this one; its arguments follow the packages' root.
pub(crate) fn php(script: &str, arguments: &[&str]) -> String {
    php_trusting(Path::new("/nowhere"), script, arguments)
}

/// The same, with the certificates that it trusts.
pub(crate) fn php_trusting(chain: &Path, script: &str, arguments: &[&str]) -> String {
    let name = if unpacked().join("usr/bin/php8.2").exists() { "php8.2" } else { "php" };
    let mut command = tool(name);
    // Without the system's settings.
    command.arg("-n").arg("-d").arg(format!("openssl.cafile={}", chain.display()));
    run(command, script, arguments)
}

/// Runs one of the Perl files beside this one, likewise.
pub(crate) fn perl(script: &str, arguments: &[&str]) -> String {
    run(Command::new("perl"), script, arguments)
}

/// Runs one of the Python files beside this one with a package from PyPI, which is unpacked into
/// `folder` for it; its arguments follow that folder.
pub(crate) fn python(script: &str, package: &str, folder: &Path, arguments: &[&str]) -> String {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--target"]);
    let output = pip.arg(folder).arg(package).output().unwrap();
    assert!(output.status.success(), "{package} cannot be had: {output:?}");
    run_in(Command::new("python3"), script, folder, arguments)
}

/// Runs one of the Python files beside this one without any package.
pub(crate) fn plain_python(script: &str, arguments: &[&str]) -> String {
    run(Command::new("python3"), script, arguments)
}

fn run(command: Command, script: &str, arguments: &[&str]) -> String {
    run_in(command, script, unpacked(), arguments)
}

fn run_in(mut command: Command, script: &str, folder: &Path, arguments: &[&str]) -> String {
    let script = root().join("tests/clients").join(script);
    let output = command.arg(script).arg(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
