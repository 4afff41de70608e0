//! What the page "Against your own broker" says works word for word.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gateward_control::access;
use gateward_core::name::Uuid;
use gateward_tests::{agent, built, run};

const PAGE: &str = include_str!("../../systems/broker/README.md");

/// Returns the commands of the page, in their order.
fn commands() -> String {
    let mut commands = String::new();
    let mut inside = false;
    for line in PAGE.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside => {
                commands.push_str(line);
                commands.push('\n');
            }
            _ => {}
        }
    }

    commands
}

#[test]
fn the_commands_of_the_page_work_word_for_word() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let clone = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let folder_of = |program: PathBuf| program.parent().expect("a folder").display().to_string();
    let programs = [folder_of(agent()), folder_of(built("gateward-control"))].join(":");
    let commands = commands();
    assert!(commands.lines().count() > 30, "{commands}");
    // Whatever fails ends it, and whatever it started ends with it.
    let script =
        format!("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{commands}");
    fs::write(folder.path().join("page.sh"), script).expect("a script can be written");

    let path = std::env::var("PATH").unwrap_or_default();
    // The page uses port 8883; in a network of its own nobody else has it.
    let own_network = ["unshare", "--map-root-user", "--net", "--"];
    let lo_up = "ip link set lo up";
    let isolated = bash(&own_network, lo_up).status().is_ok_and(|status| status.success());
    let mut command = if isolated {
        bash(&own_network, &format!("{lo_up} && exec timeout 300 bash page.sh"))
    } else {
        bash(&[], "exec timeout 300 bash page.sh")
    };
    command.current_dir(folder.path()).env("GATEWARD", clone);
    let ran = run(command.env("PATH", format!("{programs}:{path}")), b"");

    let log = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    assert_eq!(
        ran.code,
        0,
        "{}\n{}\n--- broker\n{}\n--- gateway\n{}",
        ran.out,
        ran.err,
        log("broker/log"),
        log("gateward.log")
    );
    assert!(ran.out.contains("\"allow\":true"), "{}", ran.out);
    assert!(log("collected/edge-1.jsonl").contains("ana.ruiz"));
}

#[test]
fn the_access_list_that_is_explained_is_the_one_that_is_written() {
    let explained: Vec<_> = include_str!("../../systems/broker/acl.example")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let account = Uuid([0x11; 16]);
    let gateway = access::gateway(account, "plant-7", "edge-7a").expect("good names");
    let written = access::control(account) + &access::collector(account) + &gateway;

    assert_eq!(explained, written.lines().collect::<Vec<_>>());
}

/// Returns a shell with `script`, started by `wrapper`.
fn bash(wrapper: &[&str], script: &str) -> Command {
    let mut words = wrapper.iter().copied().chain(["bash", "-c", script]);
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);

    command
}
