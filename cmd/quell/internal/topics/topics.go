// Package topics makes the topics of a configuration exist, for `quell topics create` and, on an
// embedded broker, for whoever needs them.
package topics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"

	"quell/cmd/quell/internal/app"
	"quell/cmd/quell/internal/config"
	"quell/cmd/quell/internal/connect"
	"quell/cmd/quell/internal/table"
	"quell/pipeline"
)

// Create finds or starts the configuration's brokers and makes every topic exist as it must be. It
// returns what became of each topic also if others could not be made.
func Create(ctx context.Context, c *config.Config, o connect.Options) ([]pipeline.TopicResult,
	error) {
	b, err := connect.Open(ctx, c, o)
	if err != nil {
		return nil, err
	}
	all := app.Topics(c)
	results, err := Ensure(ctx, b.Kafka, all.Specs(c.Clock)...)
	return results, errors.Join(err, b.Close())
}

// Ensure makes the topics exist on brokers that answer.
func Ensure(ctx context.Context, k pipeline.Kafka, specs ...pipeline.TopicSpec) (
	[]pipeline.TopicResult, error) {
	cl, err := app.Client(k)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	defer cl.Close()
	return pipeline.CreateTopics(ctx, kadm.NewClient(cl), specs, k.Replication)
}

// Print writes the results as a table.
func Print(w io.Writer, results []pipeline.TopicResult) error {
	t := table.New(w, []string{"topic", "partitions", "done", "settings"},
		[]bool{false, true, false, false}, 0)
	for _, r := range results {
		var settings []string
		for _, name := range slices.Sorted(maps.Keys(r.Configs)) {
			settings = append(settings, name+"="+r.Configs[name])
		}
		if err := t.Row([]string{r.Name, fmt.Sprint(r.Partitions), r.Action,
			strings.Join(settings, " ")}); err != nil {
			return err
		}
	}
	return t.Close()
}
