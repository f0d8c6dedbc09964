//! Finds Debian's libpocketsphinx. Without it the build works too, and the engine says at run time that it was left out.

use std::process::Command;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(pocketsphinx)");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PKG_CONFIG_PATH");
    println!("cargo::rerun-if-env-changed=HOTLINE_NO_POCKETSPHINX");
    if std::env::var_os("HOTLINE_NO_POCKETSPHINX").is_some() {
        return;
    }
    let Some(flags) = pkg_config() else {
        println!("cargo::warning=built without pocketsphinx, the embedded English recognizer: apt-get install libpocketsphinx-dev");
        return;
    };
    for flag in flags.split_whitespace() {
        if let Some(folder) = flag.strip_prefix("-L") {
            println!("cargo::rustc-link-search=native={folder}");
        }
    }
    // Its third library records from sound cards; nothing here calls it.
    println!("cargo::rustc-link-lib=pocketsphinx");
    println!("cargo::rustc-link-lib=sphinxbase");
    println!("cargo::rustc-cfg=pocketsphinx");
}

fn pkg_config() -> Option<String> {
    // The bindings are those of 0.8 (`5prealpha`); the 5.0 line has another start-up.
    let version = Command::new("pkg-config").args(["--modversion", "pocketsphinx"]).output().ok()?;
    if !String::from_utf8_lossy(&version.stdout).contains("prealpha") {
        return None;
    }
    let flags = Command::new("pkg-config").args(["--libs", "pocketsphinx", "sphinxbase"]).output().ok()?;
    flags.status.success().then(|| String::from_utf8_lossy(&flags.stdout).into_owned())
}
