//! Who is inside, and what was counted, for those who ask with a signal.

use serde_json::{Value, json};
use sockeye::proto::unit::{print_age, print_size};
use sockeye::{Event, Inside, Listed, Tallies, Totals};
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;

use super::{Lines, set, timed};

/// How many connections are written at once: between them those who come and go have their turn, and so have events.
const PIECE: usize = 256;

/// Writes each connection that is open, and then the sums of each listener.
pub(super) fn write(tallies: &Tallies, lines: &mut Lines, queue: &mut Receiver<Event>) {
    let listed = tallies.list();
    for one in &listed {
        for tally in &one.tallies {
            let mut after = 0;
            loop {
                let inside = tally.inside(after, PIECE);
                let Some((last, _)) = inside.last() else { break };
                after = *last;
                if lines.sink.is_json() {
                    let objects =
                        inside.iter().map(|(id, inside)| object(*id, one, inside).to_string() + "\n");
                    lines.sink.write(&objects.collect::<String>());
                } else {
                    let rows = inside.iter().map(|(id, inside)| row(*id, one, inside));
                    lines.sink.write(&table(&CONNECTION, rows));
                }
                // Those that come meanwhile wait for the next piece, or the report would never end.
                for _ in 0..queue.len() {
                    if let Ok(event) = queue.try_recv() {
                        lines.tell(&event);
                    }
                }
            }
        }
    }
    if lines.sink.is_json() {
        listed.iter().for_each(|one| lines.sink.write(&sums(one).to_string()));
    } else if listed.is_empty() {
        lines.sink.say("no listener");
    } else {
        lines.sink.write(&table(&LISTENER, listed.iter().map(sum_row)));
    }
}

const CONNECTION: [&str; 7] = ["id", "service", "peer", "open", "idle", "in", "out"];
const LISTENER: [&str; 8] = ["service", "listener", "open", "accepted", "failed", "refused", "in", "out"];

fn row(id: u64, of: &Listed, inside: &Inside) -> [String; 7] {
    [
        id.to_string(),
        of.service.to_string(),
        inside.peer.to_string(),
        print_age(age(inside)),
        print_age(inside.counts.idle()),
        print_size(inside.counts.received()),
        print_size(inside.counts.sent()),
    ]
}

fn sum_row(of: &Listed) -> [String; 8] {
    let Totals { accepted, open, failed, refused, volume, .. } = of.totals();
    [
        of.service.to_string(),
        of.listener.to_string(),
        open.to_string(),
        accepted.to_string(),
        failed.to_string(),
        refused.values().sum::<u64>().to_string(),
        print_size(volume.received),
        print_size(volume.sent),
    ]
}

/// Lines with columns as wide as what stands in them.
fn table<const N: usize>(head: &[&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = [head.map(str::to_owned)].into_iter().chain(rows).collect();
    let column = |at| rows.iter().filter_map(move |row| row.get(at));
    let widths: [usize; N] =
        std::array::from_fn(|at| column(at).map(|cell| cell.chars().count()).max().unwrap_or_default());
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn object(id: u64, of: &Listed, inside: &Inside) -> Value {
    let volume = inside.counts.volume();
    timed(json!({
        "event": "connection", "id": id, "service": &*of.service, "peer": inside.peer.to_string(),
        "seconds": age(inside).as_secs_f64(), "idle": inside.counts.idle().as_secs_f64(),
        "received": volume.received, "sent": volume.sent,
        "messages_received": volume.messages_received, "messages_sent": volume.messages_sent,
    }))
}

fn sums(of: &Listed) -> Value {
    let Totals { accepted, open, failed, refused, accept_failures, volume, dropped } = of.totals();
    let mut lost = json!({});
    dropped.counts().into_iter().for_each(|(name, count)| set(&mut lost, name, count));
    timed(json!({
        "event": "listener", "service": &*of.service, "listener": &*of.listener,
        "open": open, "accepted": accepted, "failed": failed, "refused": refused,
        "accept_failures": accept_failures, "received": volume.received, "sent": volume.sent,
        "messages_received": volume.messages_received, "messages_sent": volume.messages_sent, "dropped": lost,
    }))
}

fn age(inside: &Inside) -> std::time::Duration {
    Instant::now().saturating_duration_since(inside.began)
}
