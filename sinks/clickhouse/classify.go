package clickhouse

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"quell/correlate/archive"
)

// fault says what failed, where, and what to do about it.
func (c *Client) fault(what string, err error) error {
	return &archive.Error{Fault: classify(err),
		Err: fmt.Errorf("%s: %s: %w", c, what, err)}
}

// classify is the one place that reads errors of a server or of the way to it. What it does not
// know is retried: the rows wait in Kafka, and nothing is lost by trying again.
func classify(err error) archive.Fault {
	var known *archive.Error
	var ex *driver.Exception
	var status *driver.HTTPError
	var ca x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var plain tls.RecordHeaderError
	switch {
	case errors.As(err, &known):
		return known.Fault
	case errors.Is(err, errLayout): // somebody changed a table under us
		return archive.FaultStop
	case errors.As(err, &ex):
		return classifyCode(ex.Code)
	case errors.As(err, &ca), errors.As(err, &host), errors.As(err, &invalid),
		errors.As(err, &plain): // not the server, or not the certificate, that was configured
		return archive.FaultStop
	case errors.As(err, &status) && (status.StatusCode == 401 || status.StatusCode == 403):
		return archive.FaultStop // a proxy before the server refuses us
	}
	// Refused, reset, timed out, ended in the middle, no route, a name that does not resolve now, a
	// proxy's 502 to 504, or our own context: the server may be back.
	return archive.FaultRetry
}

// classifyCode classifies ClickHouse's error codes (src/Common/ErrorCodes.cpp).
func classifyCode(code int32) archive.Fault {
	switch code {
	case
		27,  // CANNOT_PARSE_INPUT_ASSERTION_FAILED: the block is not what the type says
		32,  // ATTEMPT_TO_READ_AFTER_EOF: the block ends early
		33,  // CANNOT_READ_ALL_DATA: the same, within a column
		117, // INCORRECT_DATA: trailing bytes, an index beyond the dictionary
		128, // TOO_LARGE_ARRAY_SIZE: offsets that can't be
		131, // TOO_LARGE_STRING_SIZE: a length that can't be
		691, // UNKNOWN_ELEMENT_OF_ENUM: a word of a newer quell
		190: // SIZES_OF_ARRAYS_DONT_MATCH: keys and values of a map
		return archive.FaultReject
	case
		6,   // CANNOT_PARSE_TEXT: a column of another type, which the block's text is parsed for
		16,  // NO_SUCH_COLUMN_IN_TABLE: not our schema
		36,  // BAD_ARGUMENTS
		44,  // ILLEGAL_COLUMN: a type that can't be converted
		46,  // UNKNOWN_FUNCTION: a server too old
		47,  // UNKNOWN_IDENTIFIER
		50,  // UNKNOWN_TYPE: a server too old
		53,  // TYPE_MISMATCH: not our schema
		60,  // UNKNOWN_TABLE: not migrated, or dropped
		62,  // SYNTAX_ERROR
		70,  // CANNOT_CONVERT_TYPE: not our schema
		81,  // UNKNOWN_DATABASE: not migrated, or dropped
		115, // UNKNOWN_SETTING: a server too old
		130, // CANNOT_READ_ARRAY_FROM_TEXT: as CANNOT_PARSE_TEXT
		164, // READONLY: a user that may not write
		192, // UNKNOWN_USER
		193, // WRONG_PASSWORD
		194, // REQUIRED_PASSWORD
		195, // IP_ADDRESS_NOT_ALLOWED
		291, // DATABASE_ACCESS_DENIED
		452, // SETTING_CONSTRAINT_VIOLATION: a profile that forbids our settings
		497, // ACCESS_DENIED
		516: // AUTHENTICATION_FAILED
		return archive.FaultStop
	}
	// Known to pass: 159 TIMEOUT_EXCEEDED, 202 TOO_MANY_SIMULTANEOUS_QUERIES, 209 SOCKET_TIMEOUT,
	// 210 NETWORK_ERROR, 236 ABORTED, 241 MEMORY_LIMIT_EXCEEDED, 242 TABLE_IS_READ_ONLY,
	// 243 NOT_ENOUGH_SPACE, 252 TOO_MANY_PARTS, 285 TOO_FEW_LIVE_REPLICAS, 319
	// UNKNOWN_STATUS_OF_INSERT, 394 QUERY_WAS_CANCELLED, 999 KEEPER_EXCEPTION.
	return archive.FaultRetry
}
