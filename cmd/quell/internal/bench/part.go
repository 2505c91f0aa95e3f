package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"quell/cmd/quell/internal/dev"
	"quell/pipeline/embedded"
)

// Part is what a process of a run does. A run gives it to a process of the same binary as one
// JSON object on standard input, which then stays open: its end asks the process to stop, also when
// the run itself was killed.
type Part struct {
	Do     string `json:"do"` // broker, kafka, engine, live, or a row's name
	Config string `json:"config,omitempty"`

	Kafka      string `json:"kafka,omitempty"`
	ClickHouse string `json:"clickhouse,omitempty"`
	Data       string `json:"data,omitempty"`    // directory of the engine or of kafka
	Raw        string `json:"raw,omitempty"`     // topic of bare_consumer
	Clients    int    `json:"clients,omitempty"` // of bare_consumer
	Broker     int    `json:"broker,omitempty"`  // processes to account for
	Engine     int    `json:"engine,omitempty"`
	Unchecked  bool   `json:"unchecked,omitempty"` // without checkpoints
	Profiles   string `json:"profiles,omitempty"`
}

// answer is what a part says on standard output, one JSON object a line.
type answer struct {
	Addr  string `json:"addr,omitempty"` // a server, or live, is ready; live has no address
	Row   *Row   `json:"row,omitempty"`
	Ready bool   `json:"ready,omitempty"`
}

// RunPart does one part until it is done or in ends. A part that reads events calls tune first; the
// servers are processes such as others run, with Go's own settings.
func RunPart(ctx context.Context, in io.Reader, out io.Writer, log *slog.Logger, tune func()) error {
	d := json.NewDecoder(in)
	var p Part
	if err := d.Decode(&p); err != nil {
		return fmt.Errorf("a part of `quell bench`, which alone starts it: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer stop()
		_, _ = io.Copy(io.Discard, in) // until whoever started us closes it or is gone
	}()
	say := json.NewEncoder(out)
	var err error
	switch p.Do {
	case "broker":
		err = serveBroker(ctx, say, log)
	case "engine":
		err = dev.ClickHouse(ctx, dev.Options{DataDir: p.Data, Logger: log, Ready: func(a dev.Address) {
			_ = say.Encode(answer{Ready: true, Addr: "http://" + a.HTTP})
		}})
	case "kafka":
		err = p.serveKafka(ctx, say)
	case rowBare:
		tune()
		err = p.bare(ctx, say)
	default:
		tune()
		err = p.serve(ctx, say, log)
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil // as it was asked to
	}
	return err
}

// serveBroker serves an embedded broker in memory: what a disk does to a broker is not quell's.
func serveBroker(ctx context.Context, say *json.Encoder, log *slog.Logger) error {
	b, err := embedded.New(embedded.Options{Logger: log})
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	select {
	case <-b.Ready():
		if err := say.Encode(answer{Ready: true, Addr: b.Addr()}); err != nil {
			return err
		}
		return <-done
	case err := <-done:
		return err
	}
}

func (p *Part) meter() *meter {
	return &meter{broker: p.Broker, engine: p.Engine, profiles: p.Profiles}
}
