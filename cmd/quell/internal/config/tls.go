package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
)

// TLS says how a connection is encrypted. Files are PEM; relative names are relative to the
// configuration file.
type TLS struct {
	Enabled            bool   `yaml:"enabled"`
	CA                 string `yaml:"ca"`          // "" is the system's
	Cert               string `yaml:"cert"`        // client certificate, with key
	Key                string `yaml:"key"`         // its private key
	ServerName         string `yaml:"server_name"` // "" is the host that is connected to
	InsecureSkipVerify bool   `yaml:"insecure_skip_verify"`
}

func (t *TLS) check(v *checker, path string) {
	given := *t
	given.Enabled = false
	if !t.Enabled && given != (TLS{}) {
		v.wrong(path, "without enabled: true these settings have no effect; write it or remove them")
	}
	if (t.Cert == "") != (t.Key == "") {
		v.wrong(path, "cert and key belong together; write both or neither")
	}
	if t.InsecureSkipVerify {
		v.warn(path+".insecure_skip_verify", "anybody can pretend to be the server; write ca: and"+
			" the file of the certificate that signed the server's")
	}
}

// resolve makes relative file names relative to dir.
func (t *TLS) resolve(dir string) {
	for _, name := range []*string{&t.CA, &t.Cert, &t.Key} {
		if *name != "" && !filepath.IsAbs(*name) {
			*name = filepath.Join(dir, *name)
		}
	}
}

// Config reads the files and returns what the clients need, or nil if TLS is not enabled.
func (t *TLS) Config() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName,
		InsecureSkipVerify: t.InsecureSkipVerify}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca: %s holds no PEM certificate", t.CA)
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("tls.cert and tls.key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
