//! What a process has used, as the kernel counts it.

use std::fs;

/// Processor time, bytes and memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Processor time, in milliseconds.
    pub(crate) cpu_ms: u64,
    /// Bytes that it has read, from files and sockets.
    pub(crate) read: u64,
    /// Bytes that it has written, to files and sockets.
    pub(crate) written: u64,
    /// Memory that it holds, in KiB.
    pub(crate) resident_kib: u64,
}

impl Usage {
    /// Returns what was used since `before`.
    pub(crate) const fn since(&self, before: &Self) -> Self {
        Self {
            cpu_ms: self.cpu_ms.saturating_sub(before.cpu_ms),
            read: self.read.saturating_sub(before.read),
            written: self.written.saturating_sub(before.written),
            resident_kib: self.resident_kib.saturating_sub(before.resident_kib),
        }
    }
}

/// Returns the usage of a process, or of this one as `self`; nothing where it has ended.
pub(crate) fn of_process(id: &str) -> Usage {
    let file = |name: &str| fs::read_to_string(format!("/proc/{id}/{name}")).unwrap_or_default();
    let (io, status) = (file("io"), file("status"));

    Usage {
        cpu_ms: cpu_ms(&file("stat")),
        read: field(&io, "rchar:"),
        written: field(&io, "wchar:"),
        resident_kib: field(&status, "VmRSS:"),
    }
}

/// Adds up the time in the program and in the kernel for it.
fn cpu_ms(stat: &str) -> u64 {
    // The name of the program stands in brackets and may hold anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();

    ticks.saturating_mul(1_000) / rustix::param::clock_ticks_per_second().max(1)
}

fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();

    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_something() {
        let usage = of_process("self");

        assert!(usage.read > 0 && usage.resident_kib > 0, "{usage:?}");
    }

    #[test]
    fn processor_time_is_found_behind_a_name_with_brackets() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0";
        let tick = 1_000 / rustix::param::clock_ticks_per_second();

        assert_eq!(cpu_ms(stat), 300 * tick);
        assert_eq!(field("VmPeak: 1 kB\nVmRSS:\t  12 kB\n", "VmRSS:"), 12);
    }
}
