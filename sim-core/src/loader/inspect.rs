//! What there is to know about an object before it is loaded, for a reader.

use std::fmt;

use serde::Serialize;

use super::hooks::{self, Blocking, Front, HookImport};
use super::image::{CodeImage, ThreadLocalBlock};
use super::image_error::{ImageError, Machine};
use super::symbols::{printable, readable};
use super::wait_loops::{self, LoopSite, Search, WaitLoops, Watch};
use crate::trace::ContentHash;

/// Symbols by which the parts of a runtime are entered: an object that exports one is that part.
const ENTRY_POINTS: [&str; 6] = [
    "aicore_execute_wrapper",
    "aicpu_execute",
    "aicpu_orchestration_entry",
    "create_device_context",
    "kernel_entry",
    "simpler_run",
];

/// Columns of a line of text.
const WIDTH: usize = 110;
/// Columns before the values.
const INDENT: usize = 14;
/// More names than this are not all shown.
const MOST_NAMES: usize = 12;

/// The facts about one object that matter for loading and running it. Its text is what a terminal shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// The name it was given.
    pub name: String,
    /// The number of its bytes.
    pub size: u64,
    /// The hash of its bytes.
    pub content: ContentHash,
    /// The machine it is built for.
    pub machine: Machine,
    /// The name by which others need it.
    pub soname: Option<String>,
    /// What it needs.
    pub needed: Vec<String>,
    /// The linker's identification.
    pub build_id: Option<String>,
    /// Its thread-local block.
    pub tls: Option<ThreadLocalBlock>,
    /// It asks never to be unloaded.
    pub no_delete: bool,
    /// Symbols that would keep it loaded for ever if they were not made global.
    pub unique_symbols: Vec<String>,
    /// The known entry points that it has.
    pub entry_points: Vec<String>,
    /// How many symbols it takes from others.
    pub imports: usize,
    /// How many symbols it offers.
    pub exports: usize,
    /// The hooks that it calls.
    pub hooks: Vec<HookImport>,
    /// Where it has to run, if it is a kernel.
    pub blocking: Blocking,
    /// Its loops that wait without calling anything.
    pub loops: WaitLoops,
}

impl Inspection {
    /// Gathers the facts about the object in `bytes`; refuses one that could not be loaded.
    pub fn of(name: &str, bytes: &[u8]) -> Result<Inspection, ImageError> {
        let image = CodeImage::parse(name, bytes)?;
        let entry_points = ENTRY_POINTS.into_iter().filter(|entry| image.export(entry).is_some());
        Ok(Inspection {
            entry_points: entry_points.map(str::to_owned).collect(),
            hooks: hooks::imported(&image),
            blocking: hooks::blocking(&image),
            loops: wait_loops::find(name, bytes)?,
            imports: image.imports.len(),
            exports: image.exports.len(),
            name: image.name,
            size: image.size,
            content: image.content,
            machine: image.machine,
            soname: image.soname,
            needed: image.needed,
            build_id: image.build_id,
            tls: image.tls,
            no_delete: image.no_delete,
            unique_symbols: image.unique_symbols,
        })
    }

    fn write_hooks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fronts = [Front::Platform, Front::Libc, Front::Pthread, Front::CxxRuntime];
        let of = |front| {
            let names: Vec<_> =
                self.hooks.iter().filter(|hook| hook.front == front).map(|hook| readable(&hook.symbol)).collect();
            (!names.is_empty()).then_some((front, names))
        };
        let mut label = "hooks";
        for (front, names) in fronts.into_iter().filter_map(of) {
            let words = std::iter::once(format!("{:<9}", front.to_string())).chain(listed(&names, usize::MAX));
            write_line(f, label, words)?;
            label = "";
        }
        if self.hooks.is_empty() {
            write_line(f, label, ["none".to_owned()])?;
        }
        Ok(())
    }

    fn write_loops(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let loops = &self.loops;
        let searched = match loops.search {
            Search::Functions => "searched by function",
            Search::Sections => "no symbols, all code searched",
            Search::Unsupported => "not searched, which this machine's code cannot be yet",
        };
        let summary = format!("{} waiting, {} hopeless ({searched})", loops.waits.len(), loops.hopeless.len());
        write_line(f, "loops", [summary])?;
        for wait in &loops.waits {
            write_loop(f, &wait.site, &wait.watches, "waits for")?;
        }
        for hopeless in &loops.hopeless {
            write_loop(f, &hopeless.site, &hopeless.watches, "looks at")?;
            writeln!(f, "{:6}{}", "", hopeless.reason)?;
        }
        Ok(())
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let some = |text: &Option<String>| [text.clone().unwrap_or_else(|| "none".to_owned())];
        let unique: Vec<_> = self.unique_symbols.iter().map(|symbol| readable(symbol)).collect();
        writeln!(f, "{}", self.name)?;
        write_line(f, "machine", [self.machine.to_string()])?;
        write_line(f, "content", [format!("{}, {} bytes", self.content, self.size)])?;
        write_line(f, "build id", some(&self.build_id))?;
        write_line(f, "soname", some(&self.soname))?;
        write_line(f, "needs", listed(&self.needed, usize::MAX))?;
        write_line(f, "tls", [thread_local_text(self.tls)])?;
        write_line(f, "unique", listed(&unique, MOST_NAMES))?;
        write_line(f, "unloads", [if self.no_delete { "never (it asks to stay)" } else { "yes" }.to_owned()])?;
        write_line(f, "entries", listed(&self.entry_points, usize::MAX))?;
        write_line(f, "symbols", [format!("{} imported, {} exported", self.imports, self.exports)])?;
        self.write_hooks(f)?;
        write_line(f, "as kernel", [self.blocking.to_string()])?;
        self.write_loops(f)
    }
}

fn thread_local_text(tls: Option<ThreadLocalBlock>) -> String {
    let Some(tls) = tls else { return "none".to_owned() };
    let place = if tls.static_block { ", in the static block, of which there is little" } else { "" };
    format!("{} bytes a thread, aligned to {}{place}", tls.size, tls.align)
}

/// Names with commas between them; of more than `most`, the first ones and how many there are.
fn listed(names: &[impl AsRef<str>], most: usize) -> Vec<String> {
    let Some(last) = names.len().checked_sub(1) else { return vec!["none".to_owned()] };
    let name = |(index, name): (usize, &_)| {
        let name: &str = AsRef::<str>::as_ref(name);
        if index == last { name.to_owned() } else { format!("{name},") }
    };
    let mut words: Vec<String> = names.iter().enumerate().map(name).take(most).collect();
    if names.len() > most {
        words.push(format!("… ({} in all)", names.len()));
    }
    words
}

/// A label and words behind it, on as many lines as they take.
fn write_line(f: &mut fmt::Formatter<'_>, label: &str, words: impl IntoIterator<Item = String>) -> fmt::Result {
    let indent = INDENT - 2;
    write!(f, "  {label:<indent$}")?;
    let mut column = INDENT;
    for (index, word) in words.into_iter().enumerate() {
        let word = printable(&word);
        let length = word.chars().count();
        if index > 0 && column + 1 + length > WIDTH {
            write!(f, "\n{:INDENT$}", "")?;
            column = INDENT;
        } else if index > 0 {
            f.write_str(" ")?;
            column += 1;
        }
        f.write_str(&word)?;
        column += length;
    }
    writeln!(f)
}

fn write_loop(f: &mut fmt::Formatter<'_>, site: &LoopSite, watches: &[Watch], verb: &str) -> fmt::Result {
    let watched: Vec<_> = watches.iter().map(|watch| watch.text.as_str()).collect();
    let watched = if watched.is_empty() { "nothing".to_owned() } else { watched.join(", ") };
    writeln!(f, "    {site} ({:#x}) {verb} {watched}", site.back_edge.address)?;
    writeln!(f, "{:6}{}", "", site.body.join("; "))
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::loader::test_objects::{Language, shared_object};

    /// An object whose text is the same with any compiler: nothing in it is generated but the container.
    fn object() -> Inspection {
        let source = ".intel_syntax noprefix
            .globl kernel_entry\n .type kernel_entry, @function
            kernel_entry:\n call sched_yield@plt\n call npusim_poll@plt
            1: cmp byte ptr [rdi+16], 0\n je 1b
            2: test eax, eax\n je 2b\n ret
            .size kernel_entry, . - kernel_entry
            .section .tbss,\"awT\",@nobits\n .zero 24
            .section .note.GNU-stack,\"\",@progbits\n";
        let flags = ["-nostdlib", "-Wl,-soname,libk.so", "-Wl,--build-id=0x0123"];
        let bytes = shared_object(Language::Assembly, source, &flags);
        let mut inspection = Inspection::of("k.so", &bytes).expect("a loadable object");
        // What the linker decides.
        (inspection.content, inspection.size) = (ContentHash(0), 0);
        let sites = inspection.loops.waits.iter_mut().map(|wait| &mut wait.site);
        for site in sites.chain(inspection.loops.hopeless.iter_mut().map(|hopeless| &mut hopeless.site)) {
            site.back_edge.address = 0x1000;
            site.body.iter_mut().for_each(|text| *text = text.split(" 0x1").next().unwrap_or_default().to_owned());
        }
        inspection
    }

    #[test]
    fn what_does_a_terminal_show() {
        insta::assert_snapshot!(object(), @r#"
        k.so
          machine     x86-64
          content     0000000000000000, 0 bytes
          build id    0123
          soname      libk.so
          needs       none
          tls         24 bytes a thread, aligned to 1
          unique      none
          unloads     yes
          entries     kernel_entry
          symbols     2 imported, 1 exported
          hooks       platform  npusim_poll
                      libc      sched_yield
          as kernel   may block, so it runs on its fiber (imports sched_yield)
          loops       1 waiting, 1 hopeless (searched by function)
            kernel_entry+0xe (0x1000) waits for 1 byte at rdi+0x10
              cmp byte ptr [rdi+0x10], 0; je
            kernel_entry+0x12 (0x1000) looks at nothing
              test eax, eax; je
              loads nothing, so nobody can end it; is a flag not atomic?
        "#);
    }

    #[test]
    fn does_the_json_have_the_same_facts() {
        let json = serde_json::to_value(object()).expect("plain data");
        assert_eq!(json["machine"], "x86-64");
        assert_eq!(json["blocking"], serde_json::json!({"runs": "on_fiber", "import": "sched_yield"}));
        assert_eq!(json["hooks"][0], serde_json::json!({"symbol": "npusim_poll", "front": "platform"}));
        assert_eq!(json["loops"]["search"], "functions");
        assert_eq!(json["loops"]["waits"][0]["site"]["back_edge"]["condition"], "equal");
        assert_eq!(json["loops"]["waits"][0]["watches"][0]["text"], "1 byte at rdi+0x10");
        assert_eq!(json["loops"]["hopeless"][0]["reason"], "loads_nothing");
    }

    #[test]
    fn are_many_names_cut_short() {
        let names: Vec<_> = (0..4).map(|n| n.to_string()).collect();
        assert_eq!(listed(&names, 4).join(" "), "0, 1, 2, 3");
        assert_eq!(listed(&names, 2).join(" "), "0, 1, … (4 in all)");
        assert_eq!(listed(&[] as &[&str], 2).join(" "), "none");
    }
}
