//! What a trained run is worth: its losses through the blob at every share, beside the controls of the same share.

use crate::blob_eval::{Evaluation, evaluate_at_depths};
use crate::calibrate::{Candidate, Levels, SHARE_TOLERANCE};
use crate::checkpoint::model;
use crate::checkpoint_folder::Folder;
use crate::controls::{Confidence, random_depths, shuffled, static_depths};
use crate::corpus::Corpus;
use crate::cost::Costs;
use crate::evaluate::{open_pass, soft_pass};
use crate::macs::WeightMacs;
use crate::model::{Model, Parameters};
use crate::recipe::{self, Recipe};
use crate::split::Part;
use crate::sweep::grid::Run;
use crate::sweep::point::{Kind, Point, SCHEMA};
use crate::sweep::prices::{element, element_name};
use crate::train::initial;
use anyhow::{Result, anyhow, ensure};
use fathom::Blob;
use fathom::format::Policy;
use serde::{Deserialize, Serialize};

/// How runs are measured. Points are those of a run only with the same settings.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Settings {
    /// File name of the corpus.
    pub corpus: String,
    /// Shares of token-layer operations to save, each in 0 to 1, without the ends.
    pub targets: Vec<f64>,
    /// Tokens from the start of the validation part that thresholds are fitted to; at most half of the part.
    pub calibration_tokens: usize,
    /// The part that losses are measured on.
    #[serde(default, skip_serializing_if = "Part::is_default")]
    pub part: Part,
    /// Tokens that losses are measured on: of the validation part those after the calibration tokens, of another the first; at most all.
    pub validation_tokens: usize,
    /// Which controls a routed run is measured beside.
    pub controls: Vec<Kind>,
    /// The core of the modelled cycles, if any.
    pub core: Option<String>,
}

impl Settings {
    /// The tokens that thresholds are fitted to, and those that losses are measured on.
    ///
    /// # Errors
    /// The parts are too short, or the corpus has no such part.
    pub fn divide<'a>(&self, corpus: &'a Corpus) -> Result<(&'a [u16], &'a [u16])> {
        let validation = corpus.validation();
        let (sample, rest) = validation.split_at(self.calibration_tokens.min(validation.len() / 2));
        let rest = if self.part == Part::Validation { rest } else { corpus.part(self.part)? };
        let text = &rest[..self.validation_tokens.min(rest.len())];
        ensure!(
            sample.len().min(text.len()) >= 2,
            "of the validation part of {} tokens {} are to calibrate on and {} to measure: give at least 2 of each",
            validation.len(),
            sample.len(),
            text.len()
        );
        Ok((sample, text))
    }
}

/// The blob of a trained recipe, at full depth.
///
/// # Errors
/// A model that cannot be exported.
pub fn candidate(recipe: &Recipe, folder: &Folder) -> Result<Candidate> {
    let header = folder.config.header(element(recipe), &[], 0, 0.0).map_err(|error| anyhow!(error))?;
    Candidate::new(&header, &model(&folder.tensors, &folder.shape)?)
}

/// The way to thresholds of a trained model's routers.
///
/// # Errors
/// Those of candle.
pub fn levels(folder: &Folder, sample: &[u16]) -> Result<Levels> {
    let shape = folder.shape;
    let float = Model::new(&shape, &Parameters::new(&folder.tensors)?, shape.blocks)?;
    Ok(Levels::new(shape.policy, folder.config.comparable_routers, open_pass(&float, sample, shape.context)?))
}

/// A run while it is measured.
struct Judged<'a> {
    run: &'a Run,
    folder: &'a Folder,
    settings: &'a Settings,
    costs: Option<&'a Costs>,
    candidate: Candidate,
    macs: WeightMacs,
    sample: &'a [u16],
    text: &'a [u16],
}

/// Measures a trained run. `note` is told of targets that the routers cannot meet: the nearest
/// share stands for them.
///
/// # Errors
/// Those of [`Settings::divide`]; a model that cannot be exported; those of candle.
pub fn measure(
    run: &Run,
    folder: &Folder,
    corpus: &Corpus,
    settings: &Settings,
    costs: Option<&Costs>,
    note: &dyn Fn(&str),
) -> Result<Vec<Point>> {
    let (sample, text) = settings.divide(corpus)?;
    let candidate = candidate(&run.recipe, folder)?;
    let macs = WeightMacs::new(Blob::parse(candidate.bytes())?.shape());
    let mut judged = Judged { run, folder, settings, costs, candidate, macs, sample, text };
    let outputs = folder.shape.outputs();
    let none = vec![f32::MAX; outputs];
    let open = judged.candidate.evaluate(&none, text)?;
    let mut points = vec![judged.point(if outputs == 0 { Kind::Dense } else { Kind::Full }, &open, &none)?];
    if outputs > 0 {
        judged.gates(&open, &mut points)?;
        judged.routed(&mut points, note)?;
    }
    Ok(points)
}

impl Judged<'_> {
    /// `thresholds` `[outputs]` are those in use: of depths that no router decides, [`f32::MAX`].
    fn point(&self, kind: Kind, evaluation: &Evaluation, thresholds: &[f32]) -> Result<Point> {
        // A router whose output scales the branches is evaluated in any case.
        let always = vec![0.0; thresholds.len()];
        let thresholds = if self.folder.shape.soft_scaling { &always } else { thresholds };
        let config = &self.folder.config;
        let corpus = self.settings.corpus.clone();
        let element = element_name(element(&self.run.recipe)).into();
        Ok(Point {
            schema: SCHEMA.into(),
            recipe: self.run.name.clone(),
            seed: config.seed,
            corpus,
            split: config.split,
            part: self.settings.part,
            training_tokens: config.training_tokens,
            blocks: self.folder.shape.blocks,
            element,
            kind,
            target: None,
            depth: None,
            nats: Some(evaluation.nats()),
            bits_per_character: Some(evaluation.bits_per_character()),
            saved: evaluation.saved(),
            alpha: None,
            weight_macs: self.macs.per_token(evaluation, thresholds),
            cycles: self.costs.map(|costs| costs.cycles_per_token(evaluation, thresholds)).transpose()?,
            core: self.costs.map(|costs| costs.core.clone()),
            active: evaluation.active_shares(),
            depths: evaluation.depths.clone(),
            evaluated_tokens: evaluation.tokens,
            calibration_tokens: self.sample.len(),
        })
    }

    /// Of routers that were trained as gates: what they lose and save when they are taken at their word, and of soft ones as they were
    /// trained and before they were.
    fn gates(&mut self, open: &Evaluation, points: &mut Vec<Point>) -> Result<()> {
        match self.run.recipe.router_stage() {
            Some(recipe::Kind::Soft) => self.soft(open, points)?,
            Some(recipe::Kind::Hard) => (),
            _ => return Ok(()),
        }
        // p < 0.5 where z < 0.
        let middle = vec![0.0; self.folder.shape.outputs()];
        let half = self.candidate.evaluate(&middle, self.text)?;
        points.push(self.point(Kind::Half, &half, &middle)?);
        Ok(())
    }

    fn soft(&self, open: &Evaluation, points: &mut Vec<Point>) -> Result<()> {
        let shape = &self.folder.shape;
        for (kind, tensors) in [(Kind::SoftInitial, &initial(shape, &self.run.recipe)), (Kind::Soft, &self.folder.tensors)] {
            let model = Model::new(shape, &Parameters::new(tensors)?, shape.blocks)?;
            let (nats, alpha) = soft_pass(&model, self.text, shape.context)?;
            let trained = kind == Kind::Soft;
            let nats = trained.then_some(nats);
            let bits_per_character = nats.map(|nats| nats / std::f64::consts::LN_2);
            points.push(Point {
                nats,
                bits_per_character,
                alpha: Some(alpha),
                ..self.point(kind, open, &vec![f32::MAX; shape.outputs()])?
            });
        }
        Ok(())
    }

    fn routed(&mut self, points: &mut Vec<Point>, note: &dyn Fn(&str)) -> Result<()> {
        let (shape, seed) = (self.folder.shape, self.run.recipe.seed);
        let wanted = |kind: Kind| self.settings.controls.contains(&kind);
        let confidence = match wanted(Kind::Confidence) {
            true => {
                let float = Model::new(&shape, &Parameters::new(&self.folder.tensors)?, shape.blocks)?;
                Some((Confidence::new(&float, self.sample)?, Confidence::new(&float, self.text)?))
            }
            false => None,
        };
        let inputs = self.text.len() - 1;
        let possible: Vec<usize> = shape.depths().collect();
        let none = vec![f32::MAX; shape.outputs()];
        if wanted(Kind::Static) {
            for depth in shape.depths().take(shape.outputs()) {
                let found = self.at_depths(&static_depths(inputs, depth as u8))?;
                let point = Point { depth: Some(depth), ..self.point(Kind::Static, &found, &none)? };
                points.push(self.without_projected(point, &found));
            }
        }
        let levels = levels(self.folder, self.sample)?;
        for target in &self.settings.targets {
            let (thresholds, nearest) = self.candidate.nearest(*target, &levels, self.sample)?;
            if (nearest - target).abs() > SHARE_TOLERANCE {
                note(&format!("the routers cannot save {target}; the nearest share, {nearest:.3}, stands for it"));
            }
            let routed = self.candidate.evaluate(&thresholds, self.text)?;
            let target = Some(*target);
            let saved = routed.saved();
            points.push(Point { target, ..self.point(Kind::Routed, &routed, &thresholds)? });
            if wanted(Kind::Random) {
                let found = self.at_depths(&random_depths(inputs, &possible, saved, seed)?)?;
                points.push(Point { target, ..self.point(Kind::Random, &found, &none)? });
            }
            // Blocks of tokens that skip have no order that a depth could stand for.
            if wanted(Kind::Shuffled) && shape.policy != Policy::Skip {
                let depths = (0u8..).zip(&routed.depths).flat_map(|(depth, tokens)| vec![depth; *tokens]).collect();
                let found = self.at_depths(&shuffled(depths, seed))?;
                points.push(Point { target, ..self.point(Kind::Shuffled, &found, &thresholds)? });
            }
            if let Some((sample, text)) = &confidence {
                let found = self.at_depths(&text.depths(sample.threshold(saved)))?;
                let point = Point { target, ..self.point(Kind::Confidence, &found, &none)? };
                points.push(self.with_exits(point));
            }
        }
        Ok(())
    }

    fn at_depths(&self, depths: &[u8]) -> Result<Evaluation> {
        evaluate_at_depths(&Blob::parse(self.candidate.bytes())?, self.text, depths, &|_| ())
    }

    /// Takes off the keys and values of blocks that are dropped: no token reads them.
    fn without_projected(&self, point: Point, found: &Evaluation) -> Point {
        let macs = (found.projected as usize * self.macs.key_value) as f64 / found.tokens.max(1) as f64;
        let cycles = point.cycles.map(|cycles| cycles - macs * self.cycles_per_mac());
        Point { weight_macs: point.weight_macs - macs, cycles, ..point }
    }

    /// Adds the heads that a token passes before it is sure enough, and the exit blocks on the ways that it does not take.
    fn with_exits(&self, point: Point) -> Point {
        let shape = &self.folder.shape;
        let blocks = |exit: usize| if shape.has_exits() { exit - shape.trunk() } else { 0 };
        let look = |exit: usize| self.macs.head + blocks(exit) * (self.macs.block - self.macs.key_value);
        let passed = |depth: usize| shape.depths().filter(|exit| *exit < depth).map(look).sum::<usize>();
        let all: usize = point.depths.iter().enumerate().map(|(depth, tokens)| passed(depth) * tokens).sum();
        let macs = all as f64 / point.evaluated_tokens.max(1) as f64;
        let cycles = point.cycles.map(|cycles| cycles + macs * self.cycles_per_mac());
        Point { weight_macs: point.weight_macs + macs, cycles, ..point }
    }

    /// What a multiply-accumulate of a block takes, with all that a block does beside them.
    fn cycles_per_mac(&self) -> f64 {
        self.costs.map_or(0.0, |costs| match costs.depths[..] {
            [.., before, last] => {
                (last.base - before.base) / ((last.depth - before.depth) * (self.macs.block - self.macs.key_value)) as f64
            }
            _ => 0.0,
        })
    }
}
