//! The daemon as its user meets it: a process that trades by itself in the simulated market, asked and told from
//! outside.

use serde_json::Value;

use crate::process::{Daemon, ask, lively, scalper, text};

/// With more arguments, and `settings` as `algo.yml` in the folder it starts in.
fn start(speed: &str, more: &[&str], settings: &str) -> (Daemon, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("algo.yml"), settings).unwrap();
    (Daemon::start(dir.path(), &[&["--speed", speed], more].concat()), dir)
}

fn orders<'a>(status: &'a Value, purpose: &str) -> Vec<&'a Value> {
    status["orders"].as_array().unwrap().iter().filter(|order| order["purpose"] == purpose).collect()
}

#[test]
fn the_daemon_trades_by_itself_protects_what_it_buys_obeys_and_leaves_a_journal_that_proves_itself() {
    let (mut daemon, dir) = start("60", &["--config", "algo.yml"], &lively(&[]));
    let ready = daemon.until("readiness for entries", |s| s["ready"]["entries"] == true);
    assert_eq!(ready["mode"], "sim");
    // Readiness may be told before the first quote has come.
    daemon.until("a quoted chain", |s| s["indices"]["NIFTY"]["quoted"].as_u64().unwrap() > 0);
    daemon.until("order updates", |s| s["push"]["state"] == "up");

    // Entry, protective stop at the broker, and its end (S3-32, I6).
    let traded = daemon.until("a finished trade, and every stop known", |s| {
        let stops = orders(s, "protection");
        let are_known = !stops.is_empty() && stops.iter().all(|o| o["broker_id"].is_string());
        s["money"]["trades"].as_u64().unwrap() >= 1 && are_known && s["in_doubt"] == 0
    });
    let entries = orders(&traded, "entry");
    assert!(entries.iter().any(|o| o["state"] == "filled"), "{traded:#}");

    // N12: what was decided can be asked for.
    let id = entries[0]["id"].as_str().unwrap();
    let (code, why) = daemon.ask(&["explain", id]);
    assert_eq!(code, 0, "{why}");
    assert!(why.contains("command") && why.contains(id), "{why}");
    let (code, nothing) = daemon.ask(&["explain", "03:00"]);
    assert_eq!(code, 1);
    assert!(nothing.contains("NOTHING_THERE"), "{nothing}");

    // A person's word is law, and repeated words change nothing more.
    assert_eq!(daemon.ask(&["halt"]), (0, "done\n".to_owned()));
    assert_eq!(daemon.ask(&["halt"]), (0, "it was so already\n".to_owned()));
    let halted = daemon.until("the halt in the status", |s| s["blocks"][0] == "halted");
    assert_eq!(halted["ready"]["entries"], false);
    assert_eq!(daemon.ask(&["flatten"]).0, 0);
    daemon.until("flat", |s| s["positions"].as_array().unwrap().is_empty());
    let (code, refused) = daemon.ask(&["tighten", "999", "--stop", "10"]);
    assert_eq!(code, 1);
    assert!(refused.contains("not open"), "{refused}");

    // A second daemon on the same folder is refused, and says why (E5).
    let second = scalper().args(["run", "--listen", "127.0.0.1:0", "--data-dir"]).arg(daemon.data()).output().unwrap();
    assert_ne!(second.status.code(), Some(0));
    let said = text(&second);
    assert!(said.contains(&daemon.pid().to_string()), "it names the process that holds the folder: {said}");

    daemon.stop();
    let (code, proof) = ask(dir.path(), &["db", "verify", "--config", "algo.yml"]);
    assert_eq!(code, 0, "{proof}");
    let (code, nobody) = daemon.ask(&["status"]);
    assert_eq!(code, 1);
    assert!(nobody.contains("scalper run"), "{nobody}");
}

#[test]
fn settings_read_again_apply_where_that_is_safe_and_wrong_ones_change_nothing() {
    // S3-14, I2, I4: hot reload.
    let (mut daemon, dir) = start("60", &["--config", "algo.yml"], "preset: [production]\n");
    let file = dir.path().join("algo.yml");
    // The bars of the warm-up are evaluated too; structure is fixed by those of the day.
    let evaluations = |s: &Value| s["indices"]["NIFTY"]["evaluations"].as_u64().unwrap_or_default();
    let open = daemon.until("an open session", |s| s["session_open"] == true && evaluations(s) > 0);
    let before = daemon.until("a bar of the day", |s| evaluations(s) > evaluations(&open));
    assert_eq!(daemon.ask(&["reload"]), (0, "no setting differs from the one in force\n".to_owned()));

    std::fs::write(&file, "preset: [production]\nentry_guard:\n  cooldown_direction_secs: 900\n").unwrap();
    let (code, tighter) = daemon.ask(&["reload"]);
    assert_eq!(code, 0, "{tighter}");
    assert!(tighter.contains("entry_guard.cooldown_direction: applies now"), "{tighter}");
    let hash = before["config_hash"].as_str().unwrap().to_owned();
    daemon.until("the new hash", |s| s["config_hash"] != hash.as_str());

    std::fs::write(&file, "preset: [production]\nentry_guard:\n  cooldown_direction_secs: many\n").unwrap();
    let (code, wrong) = daemon.ask(&["reload"]);
    assert_eq!(code, 1, "{wrong}");
    assert!(wrong.contains("algo.yml:3") && wrong.contains("nothing was changed"), "{wrong}");

    let structure =
        "preset: [production]\nentry_guard:\n  cooldown_direction_secs: 900\nsignals:\n  primary_timeframe: 3m\n";
    std::fs::write(&file, structure).unwrap();
    let (code, refused) = daemon.ask(&["reload"]);
    assert_eq!(code, 1, "{refused}");
    assert!(refused.contains("signal: refused"), "{refused}");
    daemon.stop();
    let (code, proof) = ask(dir.path(), &["db", "verify"]);
    assert_eq!(code, 0, "{proof}");
}
