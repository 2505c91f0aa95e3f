package bench

import (
	"context"
	"fmt"
	"strconv"

	"quell/sinks/clickhouse"
)

// number asks ClickHouse for one number.
func number(ctx context.Context, c *clickhouse.Client, query string) (float64, error) {
	r, err := c.Query(ctx, query)
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Close() }()
	for row, err := range r.All() {
		if err != nil {
			return 0, err
		}
		return strconv.ParseFloat(fmt.Sprint(row[0]), 64)
	}
	return 0, fmt.Errorf("no answer to %s", query)
}
