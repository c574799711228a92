//! The pages of the manual, printed or written to a folder.

use std::path::Path;

use crate::args::Request;
use crate::exit::Exit;
use crate::failure::{Failure, unwritable};
use crate::page::Page;
use crate::{flag, help, say};

/// For `man`, in the folders in which it looks: `man1/sockeye.1`.
pub(super) fn man(request: &Request) -> Result<Exit, Failure> {
    let path = |page: &Page| format!("man{0}/{1}.{0}", page.volume, page.name);
    out(request, path, Page::roff)
}

/// In Markdown: `sockeye.md`.
pub(super) fn docs(request: &Request) -> Result<Exit, Failure> {
    out(request, |page| format!("{}.md", page.name), Page::markdown)
}

/// Writes the page that is named, or all, below `--dir`; without it, prints the one that is named, or the first.
fn out(
    request: &Request,
    path: fn(&Page) -> String,
    render: fn(&Page, &[Page]) -> String,
) -> Result<Exit, Failure> {
    let pages = help::pages();
    let wanted = request.words().get(1).map(|word| word.text.as_str());
    let mut wanted = pages.iter().filter(|page| wanted.is_none_or(|name| page.topic() == name));
    let Some(folder) = request.value(&flag::DIR) else {
        return Ok(wanted.next().map_or(Exit::Usage, |page| say::data(&render(page, &pages))));
    };
    let mut planned = String::new();
    for page in wanted {
        let path = Path::new(folder).join(path(page));
        if request.has(&flag::PLAN) {
            planned.push_str(&format!("write    {}\n", path.display()));
            continue;
        }
        let written = write(&path, &render(page, &pages));
        written.map_err(|error| Failure::File(unwritable(&path, error)))?;
    }
    Ok(say::data(&planned))
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text)
}
