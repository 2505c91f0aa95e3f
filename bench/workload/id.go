package workload

// An id is 16 hexadecimal digits: a keyed permutation (a Feistel network of six rounds) of
// sequence<<16 | fault. It shows neither order nor fault to somebody without the key, and gives
// both back to somebody with it.

const (
	faultBits = 16
	maxFaults = 1<<faultBits - 1
	rounds    = 6
)

type permutation [rounds]uint64

func newPermutation(seed uint64) permutation {
	var p permutation
	for i := range p {
		p[i] = mix(seed + uint64(i+1)*0x9e3779b97f4a7c15)
	}
	return p
}

// mix is the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (p *permutation) seal(sequence uint64, fault int32) uint64 {
	block := sequence<<faultBits | uint64(fault)
	l, r := uint32(block>>32), uint32(block)
	for i := range p {
		l, r = r, l^uint32(mix(uint64(r)^p[i]))
	}
	return uint64(l)<<32 | uint64(r)
}

func (p *permutation) open(id uint64) (sequence uint64, fault int32) {
	l, r := uint32(id>>32), uint32(id)
	for i := rounds - 1; i >= 0; i-- {
		l, r = r^uint32(mix(uint64(l)^p[i])), l
	}
	block := uint64(l)<<32 | uint64(r)
	return block >> faultBits, int32(block & maxFaults)
}

const digits = "0123456789abcdef"

func appendID(b []byte, id uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, digits[id>>uint(shift)&15])
	}
	return b
}

func parseID(s string) (id uint64, ok bool) {
	if len(s) != 16 {
		return 0, false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			id = id<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			id = id<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return id, true
}
