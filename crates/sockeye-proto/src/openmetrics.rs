//! Counts as text that monitoring programs read: the OpenMetrics specification 1.0.

/// What its HTTP `Content-Type` is.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What kind of numbers a family has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Never shrinks; its samples end in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Is 1, and what it tells stands in its labels; its samples end in `_info`.
    Info,
}

/// A text under construction: one family after another, each with its samples.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
    family: &'static str,
    suffix: &'static str,
}

impl Exposition {
    /// Begins a family, which must not have been there before. A `name` that ends in `_bytes` or `_seconds` has that unit.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> &mut Self {
        let (kind, suffix) = match kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
            Kind::Info => ("info", "_info"),
        };
        (self.family, self.suffix) = (name, suffix);
        self.text.push_str(&format!("# TYPE {name} {kind}\n"));
        if let Some(unit) = ["bytes", "seconds"].into_iter().find(|unit| name.ends_with(&format!("_{unit}")))
        {
            self.text.push_str(&format!("# UNIT {name} {unit}\n"));
        }
        self.text.push_str(&format!("# HELP {name} {}\n", escaped(help)));
        self
    }

    /// Adds a sample to the family that was begun last. No other of it may have the same labels.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl std::fmt::Display) -> &mut Self {
        let labels = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
        let labels = labels.collect::<Vec<_>>().join(",");
        let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
        self.text.push_str(&format!("{}{}{labels} {value}\n", self.family, self.suffix));
        self
    }

    /// The whole text.
    pub fn finish(mut self) -> String {
        self.text.push_str("# EOF\n");
        self.text
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_and_samples_are_written_as_the_specification_has_them() {
        let mut text = Exposition::default();
        text.family("a_bytes", Kind::Counter, "What \"came\".").sample(&[("to", "x\\\n\""), ("by", "y")], 7);
        text.family("b", Kind::Gauge, "Now.").sample(&[], 1.5);
        text.family("c", Kind::Info, "Which.").sample(&[("version", "1")], 1);
        let want = "# TYPE a_bytes counter\n# UNIT a_bytes bytes\n# HELP a_bytes What \\\"came\\\".\n\
                    a_bytes_total{to=\"x\\\\\\n\\\"\",by=\"y\"} 7\n# TYPE b gauge\n# HELP b Now.\nb 1.5\n\
                    # TYPE c info\n# HELP c Which.\nc_info{version=\"1\"} 1\n# EOF\n";
        assert_eq!(text.finish(), want);
    }
}
