//! `exporter inspect`.

use super::read_blob;
use anyhow::Result;
use clap::Parser;
use fathom::{Blob, Part, Plan};
use serde::Serialize;
use std::path::PathBuf;

/// Show what is in a blob: header, sections, sizes, arena plan, operating points
#[derive(Parser, Debug)]
#[command(after_help = "\
Examples:
  exporter inspect firmware/models/default.fathom
  exporter inspect firmware/models/default.fathom --tile 1 --json")]
pub struct Cmd {
    /// The blob
    blob: PathBuf,
    /// Tokens per prompt tile that the arena is planned for
    #[arg(long, default_value_t = 8)]
    tile: usize,
    /// Every tensor, not only the sums
    #[arg(long)]
    tensors: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// One tensor.
#[derive(Serialize)]
struct Section {
    tensor: &'static str,
    block: usize,
    offset: usize,
    bytes: usize,
}

impl Cmd {
    /// Runs the command.
    ///
    /// # Errors
    /// One line for the user.
    pub fn run(self) -> Result<()> {
        let bytes = read_blob(&self.blob)?;
        let blob = Blob::parse(bytes.bytes())?;
        let tile = self.tile.min(blob.shape().context);
        let plan = Plan::new(blob.shape(), tile)?;
        let mut sections = Vec::new();
        blob.layout().visit(&mut |tensor, block, span, _| {
            sections.push(Section { tensor, block, offset: span.offset, bytes: span.bytes })
        });
        let parts: Vec<(String, usize)> = Part::ALL.iter().map(|part| (format!("{part:?}"), 4 * plan.words(*part))).collect();
        let header = blob.header();
        if self.json {
            let parts: serde_json::Map<_, _> = parts.into_iter().map(|(part, bytes)| (part, bytes.into())).collect();
            let output = serde_json::json!({
                "schema": "fathom-inspect/1", "bytes": blob.len(), "header": header, "sections": sections,
                "arena": { "tile": tile, "bytes": plan.bytes(), "parts": parts },
            });
            say!("{output}");
            return Ok(());
        }
        let g = header.geometry;
        let exits = match blob.shape().stored_blocks() - blob.shape().blocks {
            0 => String::new(),
            exits => format!(" and {exits} exit blocks"),
        };
        say!("{}: {} bytes, {:?}", self.blob.display(), blob.len(), header.element);
        say!(
            "  geometry      {} blocks{}, width {}, {} heads ({} key/value), MLP {}, context {}, vocabulary {}, router {}",
            g.blocks,
            exits,
            g.width,
            g.heads,
            g.kv_heads,
            g.mlp_width,
            g.context,
            g.vocabulary,
            g.router_width
        );
        say!("  variants      {:?}", header.variants);
        say!("  routing       {:?}", header.routing);
        say!("  depths        {:?} blocks", blob.shape().depths().collect::<Vec<_>>());
        let p = &header.provenance;
        say!(
            "  provenance    {}, seed {}, {} training tokens, float loss at full depth {}",
            p.exporter,
            p.seed,
            p.training_tokens,
            nats(p.validation_loss_nats)
        );
        say!("  operating points (cheapest first; * is the default)");
        for (index, point) in header.operating_points.iter().enumerate() {
            let mark = if index == usize::from(header.default_point) { '*' } else { ' ' };
            say!("   {mark}{index}  saves {:.1}%, {}", 100.0 * point.saved, nats(point.loss_nats));
        }
        say!("  sections      ({})", if self.tensors { "offset, bytes" } else { "bytes; --tensors shows each" });
        if self.tensors {
            for section in &sections {
                say!("    {:>9} {:>8}  {:>2} {}", section.offset, section.bytes, section.block, section.tensor);
            }
        } else {
            let sum = |filter: &dyn Fn(&Section) -> bool| {
                sections.iter().filter(|section| filter(section)).map(|section| section.bytes).sum::<usize>()
            };
            say!("    embedding and head {:>9}", sum(&|s| s.tensor.starts_with("embedding") || s.tensor.starts_with("head")));
            say!("    position           {:>9}", sum(&|s| s.tensor == "position"));
            say!("    routers            {:>9}", sum(&|s| s.tensor.starts_with("router")));
            let block = |s: &Section| {
                ["query", "key_value", "output", "up", "down", "norm1", "norm2"].iter().any(|name| s.tensor.starts_with(name))
            };
            say!("    blocks             {:>9}", sum(&block));
        }
        say!("  arena         {} bytes for tiles of {} tokens", plan.bytes(), tile);
        for (part, bytes) in parts.iter().filter(|(_, bytes)| *bytes > 0) {
            say!("    {part:<18} {bytes:>9}");
        }
        Ok(())
    }
}

/// A stored loss, which is 0 when nobody measured it.
fn nats(loss: f32) -> String {
    if loss > 0.0 { format!("{loss:.4} nats") } else { "loss unmeasured".into() }
}
