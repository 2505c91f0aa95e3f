package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"quell/sinks/clickhouse/embedded/internal/chdb"
	"quell/sinks/clickhouse/embedded/internal/native"
)

// ClickHouse's error codes that the server itself uses.
const (
	codeBadArguments         = 36
	codeNoSuchColumn         = 16
	codeNotImplemented       = 48
	codeSyntaxError          = 62
	codeUnknownSetting       = 115
	codeIncorrectData        = 117
	codeTooManyBytes         = 307
	codeQueryWasCancelled    = 394
	codeAuthenticationFailed = 516
	codeUnknown              = 1002
)

// exception makes an error of the server look like one of the engine.
func exception(code int, format string, args ...any) *chdb.Exception {
	return &chdb.Exception{Code: code,
		Text: fmt.Sprintf("DB::Exception: "+format+". (%s)", append(args, codeName(code))...)}
}

func codeName(code int) string {
	switch code {
	case codeBadArguments:
		return "BAD_ARGUMENTS"
	case codeNoSuchColumn:
		return "NO_SUCH_COLUMN_IN_TABLE"
	case codeNotImplemented:
		return "NOT_IMPLEMENTED"
	case codeSyntaxError:
		return "SYNTAX_ERROR"
	case codeUnknownSetting:
		return "UNKNOWN_SETTING"
	case codeIncorrectData:
		return "INCORRECT_DATA"
	case codeTooManyBytes:
		return "TOO_MANY_BYTES"
	case codeQueryWasCancelled:
		return "QUERY_WAS_CANCELLED"
	case codeAuthenticationFailed:
		return "AUTHENTICATION_FAILED"
	}
	return "UNKNOWN_EXCEPTION"
}

// asException finds the code that a client should see for err.
func asException(err error) *chdb.Exception {
	var (
		already     *chdb.Exception
		unsupported *native.UnsupportedError
		tooBig      *native.TooBigError
	)
	switch {
	case errors.As(err, &already):
		return already
	case errors.As(err, &unsupported):
		return exception(codeNotImplemented, "%v", err)
	case errors.As(err, &tooBig):
		return exception(codeTooManyBytes, "%v", err)
	case errors.Is(err, context.Canceled):
		return exception(codeQueryWasCancelled, "the server stops or the client went away")
	}
	return exception(codeUnknown, "%v", err)
}

// httpStatus follows ClickHouse's own table of statuses by code.
func httpStatus(code int) int {
	switch code {
	case 164, 192, 194, 497, codeAuthenticationFailed: // read only, unknown user, wrong password
		return http.StatusForbidden
	case 46, 60, 79, 81, 218: // unknown function, table, file, database
		return http.StatusNotFound
	case 6, codeNoSuchColumn, 10, 15, 26, 27, codeBadArguments, 38, 41, 42, 43, 44, 47, 50, 51, 52,
		53, codeSyntaxError, 63, 69, 70, 72, 80, 82, 102, codeUnknownSetting, codeIncorrectData,
		130, 131, 153, 158, 160, 167, 168, 386, 395, 456, 457: // what the client wrote
		return http.StatusBadRequest
	case 159:
		return http.StatusRequestTimeout
	case codeTooManyBytes:
		return http.StatusRequestEntityTooLarge
	case codeNotImplemented:
		return http.StatusNotImplemented
	case 202:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
