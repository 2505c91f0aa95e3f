//go:build synctests

package virtual

import (
	"encoding/binary"
	"reflect"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// alter puts an error code wherever the answer has room for one: what a broker says that has done
// the work and does not know it.
func alter(frame []byte, a asked, code int16) []byte {
	resp := kmsg.ResponseForKey(int16(a.key))
	resp.SetVersion(a.version)
	head := 8
	body := kbin.Reader{Src: frame[head:]}
	if resp.IsFlexible() && a.key != kmsg.ApiVersions {
		kmsg.SkipTags(&body)
		head = len(frame) - len(body.Src)
	}
	if err := resp.ReadFrom(body.Src); err != nil {
		return frame // of an error about the version: nothing to alter
	}
	setCodes(reflect.ValueOf(resp).Elem(), code)
	out := resp.AppendTo(append([]byte(nil), frame[:head]...))
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	return out
}

func setCodes(v reflect.Value, code int16) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			setCodes(v.Elem(), code)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			for i := range v.Len() {
				setCodes(v.Index(i), code)
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Name == "ErrorCode" && f.Type.Kind() == reflect.Int16 {
				v.Field(i).SetInt(int64(code))
			} else {
				setCodes(v.Field(i), code)
			}
		}
	}
}
