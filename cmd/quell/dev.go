package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"quell/cmd/quell/internal/app"
	"quell/cmd/quell/internal/dev"
)

// devFlags are the flags that both servers have.
type devFlags struct {
	o                             dev.Options
	user, passwordEnv, cert, priv string
}

func newDev(g *global) *cobra.Command {
	c := &cobra.Command{
		Use:   "dev",
		Short: "Run an embedded Kafka or ClickHouse as a process of its own",
		Long: `dev runs the servers that quell has embedded, for development and tests: the broker is no
replicated Kafka, the engine no ClickHouse cluster. Each prints one line with its address when it
answers, serves until SIGTERM, and keeps its data in --data.`,
		Example: "  quell dev kafka --listen 127.0.0.1:9092",
		RunE:    needs("kafka or clickhouse"),
	}
	c.AddCommand(g.devServer("kafka", "Run the embedded Kafka broker",
		`  quell dev kafka --listen 127.0.0.1:9092
  PASSWORD=secret quell dev kafka --user ada --password-env PASSWORD   # SCRAM-SHA-256`, dev.Kafka))
	c.AddCommand(g.devServer("clickhouse", "Run the embedded ClickHouse engine",
		`  quell dev clickhouse --listen 127.0.0.1:8123 --listen-tcp 127.0.0.1:9000
  quell dev clickhouse --tls-cert cert.pem --tls-key key.pem --json`, dev.ClickHouse))
	return c
}

func (g *global) devServer(name, short, example string,
	serve func(context.Context, dev.Options) error) *cobra.Command {
	var f devFlags
	c := &cobra.Command{Use: name, Short: short, Example: example, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := g.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			o := f.o
			o.DataDir = cfg.Data
			cfg.Log.Level = "warn"
			o.Logger = app.Logger(cfg, cmd.ErrOrStderr())
			if o.TLS, err = dev.TLSConfig(f.cert, f.priv); err != nil {
				return usage(err)
			}
			o.User = f.user
			if o.Password, err = dev.Password(f.user, f.passwordEnv); err != nil {
				return usage(err)
			}
			o.Ready = func(a dev.Address) { g.printAddress(cmd.OutOrStdout(), a) }
			return serve(cmd.Context(), o)
		}}
	fl := c.Flags()
	listen := "host:port (default: a free port of 127.0.0.1)"
	if name == "clickhouse" {
		listen = "host:port of HTTP (default: a free port of 127.0.0.1)"
		fl.StringVar(&f.o.ListenTCP, "listen-tcp", "",
			"host:port of the native protocol (default: likewise)")
	}
	fl.StringVar(&f.o.Listen, "listen", "", listen)
	fl.StringVar(&f.user, "user", "", "the one user that is let in (default: everybody on this machine)")
	fl.StringVar(&f.passwordEnv, "password-env", "",
		"environment variable that holds the user's password")
	fl.StringVar(&f.cert, "tls-cert", "", "PEM file of the server's certificate: clients must use TLS")
	fl.StringVar(&f.priv, "tls-key", "", "PEM file of its key")
	return c
}

// printAddress prints one line, which whoever started the process waits for.
func (g *global) printAddress(w io.Writer, a dev.Address) {
	if g.json {
		_ = json.NewEncoder(w).Encode(a) // nobody may be listening, and the server serves all the same
		return
	}
	fmt.Fprintln(w, a)
}
