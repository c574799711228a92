//! The page on Python's sockets: complete. That its examples are right, the compiler says.

/// Python's table of socket functions.
const FUNCTIONS: [&str; 20] = [
    "bind",
    "listen",
    "accept",
    "connect",
    "connect_ex",
    "recv",
    "send",
    "sendall",
    "recvfrom",
    "sendto",
    "close",
    "getpeername",
    "getsockname",
    "setsockopt",
    "getsockopt",
    "settimeout",
    "gettimeout",
    "fileno",
    "setblocking",
    "makefile",
];

#[test]
fn every_function_has_its_line_in_the_table_and_an_example() {
    let page = include_str!("../../../docs/python-sockets-in-rust.md");
    let sections: Vec<(&str, &str)> =
        page.split("\n## ").skip(1).filter_map(|section| section.split_once('\n')).collect();
    for function in FUNCTIONS {
        let name = format!("`{function}`");
        let (heading, text) = sections.iter().find(|(heading, _)| heading.contains(&name)).expect(function);
        assert!(text.contains("```rust\n"), "{function} has no example");
        let anchor = heading.replace(['`', ','], "").replace(' ', "-");
        let line = page.lines().find(|line| line.starts_with("| [") && line.contains(&name)).expect(function);
        assert!(line.contains(&format!("[{name}](#{anchor})")), "{line}");
    }
}
