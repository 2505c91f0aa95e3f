package correlate

// ordered is a pointer to something that knows which of two comes first.
type ordered[T any] interface {
	*T
	before(*T) bool
}

// heap is a binary heap: the element that comes before all others is at index 0. (container/heap
// would box every element.)
type heap[T any, P ordered[T]] []T

func (hp *heap[T, P]) push(v T) {
	h := append(*hp, v)
	*hp = h
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !P(&h[i]).before(&h[up]) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

func (hp *heap[T, P]) pop() T {
	h := *hp
	top, last := h[0], len(h)-1
	var zero T
	h[0], h[last] = h[last], zero
	h = h[:last]
	*hp = h
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < last; c++ {
			if P(&h[c]).before(&h[least]) {
				least = c
			}
		}
		if least == i {
			return top
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}
