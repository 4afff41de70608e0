//! Where settings come from, and where the files are that they name.

use super::*;

#[test]
fn pieces_are_read_in_the_order_of_their_names_and_the_environment_last() {
    let folder = Folder::complete("shutdown_grace_s = 1");
    folder.write("agent.d/20-last.toml", "shutdown_grace_s = 3\n[audit]\nflush_ms = 3");
    folder.write("agent.d/10-first.toml", "shutdown_grace_s = 2\nlimits.connections = 2");
    folder.write("agent.d/30-not-read.conf", "shutdown_grace_s = 4");
    let config = folder.load(&[]).unwrap();

    assert_eq!(config.shutdown_grace, Duration::from_secs(3));
    assert_eq!(config.limits.connections, 2);
    assert_eq!(config.audit.flush, Duration::from_millis(3));
    let config = folder
        .load(&[
            ("GATEWARD__SHUTDOWN_GRACE_S", "5"),
            ("GATEWARD__API__TRUSTED_PEERS", "uid:0, 127.0.0.1"),
            ("GATEWARD__DECISION__STRICT_DIVISION", "true"),
            ("GATEWARD_LOG", "debug"),
        ])
        .unwrap();
    assert_eq!(config.shutdown_grace, Duration::from_secs(5));
    assert_eq!(config.api.trusted_peers.len(), 2);
    assert!(config.decision.strict_division);
}

#[test]
fn a_mistake_in_a_piece_names_the_piece() {
    let folder = Folder::complete("");
    folder.write("agent.d/10-first.toml", "# a comment\nshutdown_grace_s = 0");

    assert!(folder.mistakes(&[])[0].starts_with("agent.d/10-first.toml:2:1: `shutdown_grace_s`"));
}

#[test]
fn without_tls_its_files_need_not_be_there() {
    let folder = Folder::new(&format!(
        "{REQUIRED}key_set = 'keyset'\ngateway_key = 'gateway.key'\n\
         [broker]\nurl = 'mqtt://127.0.0.1'\nca_file = 'nowhere'"
    ));
    assert_eq!(folder.load(&[]).unwrap().broker.tls, None);
}

#[test]
fn a_secret_behind_a_link_is_judged_by_what_it_points_to() {
    let folder = Folder::complete("");
    fs::rename(folder.path("client.key"), folder.path("real.key")).unwrap();
    symlink(folder.path("real.key"), folder.path("client.key")).unwrap();
    assert!(folder.load(&[]).is_ok());

    folder.mode("real.key", 0o604);
    assert!(folder.mistakes(&[])[0].contains("its mode is 0604"));
}

#[test]
fn the_folders_of_systemd_move_defaults_and_nothing_else() {
    let folder = Folder::new(&format!(
        "{REQUIRED}key_set = 'keyset'\n[broker]\nurl = 'mqtts://broker.example'\n\
         client_key_file = 'client.key'\nca_file = 'ca.pem'\nclient_certificate_file = 'client.pem'"
    ));
    for name in ["client.key", "gateway.key"] {
        folder.write(&format!("credentials/{name}"), "secret");
        folder.mode(&format!("credentials/{name}"), 0o440);
    }
    let credentials = folder.path("credentials").display().to_string();
    let env = [
        ("STATE_DIRECTORY", "/state:/other"),
        ("RUNTIME_DIRECTORY", "/runtime"),
        ("CREDENTIALS_DIRECTORY", credentials.as_str()),
    ];
    let config = folder.load(&env).unwrap();

    assert_eq!(config.state_dir, Path::new("/state"));
    assert_eq!(config.api.socket, Path::new("/runtime/api.sock"));
    assert_eq!(config.api.admin_socket, Path::new("/runtime/admin.sock"));
    assert_eq!(config.gateway_key, folder.path("credentials/gateway.key"));
    assert_eq!(config.broker.tls.unwrap().key, folder.path("client.key"));
    let mut env = env.to_vec();
    env.push(("GATEWARD__STATE_DIR", "/set"));
    assert_eq!(folder.load(&env).unwrap().state_dir, Path::new("/set"));
}
