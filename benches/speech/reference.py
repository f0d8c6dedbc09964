#!/usr/bin/env python3
"""What another runtime makes of the same clips: the zipformer models on onnxruntime, to hold ours (rten) against.

  cargo bench --bench speech -- sounds FOLDER      writes the telephone versions of the clips that the table's free-speech rows hear
  benches/speech/reference.py MODELS FOLDER        prints clip, text; kept in reference.tsv

Needs numpy and onnxruntime. The filter bank here is a second one, written from Kaldi's definition; the search is the same beam of four
without a menu, so what differs is the runtime.
"""
import os, sys, unicodedata, wave
import numpy as np
import onnxruntime as ort

RATE, WINDOW, SHIFT, FFT, BANDS = 16000, 400, 160, 512, 80
CHUNK, ADVANCE, BEAM, BLANK, UNKNOWN = 45, 32, 4, 0, 2
TAIL = RATE // 2
INITIALS = set("b p m f d t n l g k h j q x zh ch sh r z c s y w".split())


def mel(hertz):
    return 1127.0 * np.log(1.0 + hertz / 700.0)


def filters():
    low, high = mel(20.0), mel(7600.0)
    centers = low + (high - low) / (BANDS + 1) * np.arange(BANDS + 2)
    bins = mel(np.arange(FFT // 2 + 1) * RATE / FFT)
    rising = (bins[None] - centers[:-2, None]) / (centers[1:-1] - centers[:-2])[:, None]
    falling = (centers[2:, None] - bins[None]) / (centers[2:] - centers[1:-1])[:, None]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[:, FFT // 2] = 0.0
    return weights


def fbank(samples):
    lead = (WINDOW - SHIFT) // 2
    samples = np.concatenate([samples[:lead][::-1], samples])
    count = 1 + (len(samples) - WINDOW) // SHIFT
    frames = samples[np.arange(WINDOW)[None] + SHIFT * np.arange(count)[:, None]].astype(np.float64)
    frames -= frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    povey = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / (WINDOW - 1))) ** 0.85
    power = np.abs(np.fft.rfft((frames - 0.97 * before) * povey, FFT)) ** 2
    return np.log(np.maximum(power @ filters().T, np.finfo(np.float32).eps)).astype(np.float32)


def session(folder, part, endings):
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    path = next(p for p in (os.path.join(folder, part + e) for e in endings) if os.path.exists(p))
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class Model:
    def __init__(self, folder):
        self.encoder = session(folder, "encoder", [".int8.onnx", ".onnx"])
        self.decoder = session(folder, "decoder", [".onnx", ".int8.onnx"])
        self.joiner = session(folder, "joiner", [".int8.onnx", ".onnx"])
        lines = open(os.path.join(folder, "tokens.txt"), encoding="utf-8").read().splitlines()
        self.tokens = {int(line.rsplit(None, 1)[1]): line.rsplit(None, 1)[0] for line in lines if line.strip()}
        self.is_pieces = os.path.exists(os.path.join(folder, "bpe.model"))
        self.decoded = {}

    def encode(self, samples):
        features = fbank(np.concatenate([samples, np.zeros(TAIL, np.float32)]))
        kinds = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32}
        state = {i.name: np.zeros(i.shape, kinds[i.type]) for i in self.encoder.get_inputs() if i.name != "x"}
        names = [o.name for o in self.encoder.get_outputs()]
        out, at = [], 0
        while at + CHUNK <= len(features):
            answer = dict(zip(names, self.encoder.run(None, {"x": features[None, at:at + CHUNK], **state})))
            out.extend(answer["encoder_out"][0])
            state = {name: answer["new_" + name] for name in state}
            at += ADVANCE
        return out

    def rows(self, frame, contexts):
        for context in contexts:
            if context not in self.decoded:
                self.decoded[context] = self.decoder.run(None, {"y": np.array([context], np.int64)})[0][0]
        frames = np.repeat(frame[None], len(contexts), axis=0)
        logit = self.joiner.run(None, {"encoder_out": frames, "decoder_out": np.stack([self.decoded[c] for c in contexts])})[0]
        logit = logit - logit.max(axis=1, keepdims=True)
        return logit - np.log(np.exp(logit).sum(axis=1, keepdims=True))

    def hear(self, samples):
        beam = [((), 0.0)]
        for frame in self.encode(samples):
            after = lambda text: ((-1, 0) if not text else (0, text[-1]) if len(text) == 1 else text[-2:])
            following = {}
            for (text, score), row in zip(beam, self.rows(frame, [after(text) for text, _ in beam])):
                ways = [(text, max(row[BLANK], row[UNKNOWN]))]
                best = [t for t in np.argsort(-row)[:BEAM + 3] if t not in (BLANK, 1, UNKNOWN)][:BEAM]
                ways += [(text + (int(token),), row[token]) for token in best]
                for new, gain in ways:
                    following[new] = np.logaddexp(following.get(new, -np.inf), score + gain)
            beam = sorted(following.items(), key=lambda way: -way[1])[:BEAM]
        units = [self.tokens[token] for token in beam[0][0]]
        return "".join(units).replace("\u2581", " ").strip().lower() if self.is_pieces else syllables(units)


def syllables(units):
    """Toneless pinyin, ü as v."""
    out = ""
    for unit in units:
        plain = unicodedata.normalize("NFD", unit).replace("u\u0308", "v")
        plain = "".join(c for c in plain if not unicodedata.combining(c))
        out += plain if plain in INITIALS else plain + " "
    return out.strip()


def main():
    models, folder = sys.argv[1:3]
    names = sorted(os.listdir(models))
    loaded = {lang: Model(os.path.join(models, next(n for n in names if "zipformer" in n and f"-{lang}-" in n))) for lang in ("zh", "en")}
    print("clip\ttext")
    for name in sorted(os.listdir(folder)):
        with wave.open(os.path.join(folder, name)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768.0
        clip = name.removesuffix(".wav")
        print(f"{clip}\t{loaded[clip[:2]].hear(samples)}")


if __name__ == "__main__":
    main()
