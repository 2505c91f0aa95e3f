package clickhouse

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"quell/correlate/archive"
)

func TestClassify(t *testing.T) {
	ex := func(code int32) error { return &driver.Exception{Code: code} }
	for _, test := range []struct {
		name string
		err  error
		want archive.Fault
	}{
		{"refused", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, archive.FaultRetry},
		{"cut in the middle", io.ErrUnexpectedEOF, archive.FaultRetry},
		{"cancelled", context.Canceled, archive.FaultRetry},
		{"a name that does not resolve", &net.DNSError{IsNotFound: true}, archive.FaultRetry},
		{"something new", errors.New("new"), archive.FaultRetry},
		{"something new of the server", ex(100000), archive.FaultRetry},
		{"too many parts", ex(252), archive.FaultRetry},
		{"disk full", ex(243), archive.FaultRetry},
		{"out of memory", ex(241), archive.FaultRetry},
		{"a proxy without a server", &driver.HTTPError{StatusCode: 502, Err: io.EOF},
			archive.FaultRetry},
		{"a proxy that refuses", &driver.HTTPError{StatusCode: 403, Err: io.EOF}, archive.FaultStop},
		{"over HTTP", &driver.HTTPError{StatusCode: 404, Err: ex(60)}, archive.FaultStop},
		{"wrong password", ex(516), archive.FaultStop},
		{"no rights", ex(497), archive.FaultStop},
		{"no table", ex(60), archive.FaultStop},
		{"another's certificate", x509.UnknownAuthorityError{}, archive.FaultStop},
		{"a changed table", fmt.Errorf("%w: x", errLayout), archive.FaultStop},
		{"damaged bytes", ex(117), archive.FaultReject},
		{"a word of a newer quell", ex(691), archive.FaultReject},
		{"classified before", &archive.Error{Fault: archive.FaultReject, Err: io.EOF},
			archive.FaultReject},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := classify(fmt.Errorf("wrapped: %w", test.err)); got != test.want {
				t.Errorf("%v is %v, want %v", test.err, got, test.want)
			}
		})
	}
}
