import de.bwaldvogel.mongo.bson.Document;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** One way through an index to the candidates of a query, worth more the fewer it visits. */
record Plan(
        OrderedIndex index, List<List<Object>> starts, Object low, Object high, boolean isSorted, boolean isDescending) {

    private static final int MOST_STARTS = 1000;

    /** Returns the way through this index, or null where it does not narrow the query and does not sort it either. */
    static Plan through(OrderedIndex index, Map<String, Bounds> bounds, Document orderBy) {
        // Two conditions on an array may be met by two of its elements, which stand at two places here.
        List<String> paths = index.holdsArrays() ? index.paths().subList(0, 1) : index.paths();
        List<List<Object>> starts = List.of(List.of());
        int fixed = 0;
        for (String path : paths) {
            List<Object> values = bounds.containsKey(path) ? bounds.get(path).values() : null;
            if (values == null || starts.size() * values.size() > MOST_STARTS) {
                break;
            }
            starts = starts.stream().flatMap(start -> values.stream().map(value -> with(start, value))).toList();
            fixed++;
        }
        Bounds next = fixed < paths.size() ? bounds.get(paths.get(fixed)) : null;
        if (next != null && index.holdsArrays()) {
            next = next.single();
        }
        Object low = next == null ? null : next.low();
        Object high = next == null ? null : next.high();
        int direction = starts.size() > 1 ? 0 : direction(index, fixed, orderBy);
        boolean isSorted = orderBy == null || orderBy.isEmpty() || direction != 0;
        boolean isNarrow = fixed > 0 || low != null || high != null;
        if (isNarrow || (direction != 0 && !index.leavesOut())) {
            return new Plan(index, starts, low, high, isSorted, direction < 0);
        }
        return null;
    }

    /** The ids of the candidates, each once. */
    Stream<Object> candidates() {
        return starts.stream()
                .flatMap(start -> index.between(with(start, low), with(start, high), isDescending))
                .distinct();
    }

    /** How much it narrows: by paths with known values before all, then by a range, then by the order it comes in. */
    int worth() {
        int fixed = starts.isEmpty() ? index.paths().size() : starts.get(0).size();
        return 4 * fixed + (low != null ? 1 : 0) + (high != null ? 1 : 0) + (isSorted ? 1 : 0);
    }

    /** 1 or -1 where walking the index up or down is the wanted order, 0 where neither is. */
    private static int direction(OrderedIndex index, int fixed, Document orderBy) {
        if (orderBy == null || index.holdsArrays()) {
            return 0;
        }
        List<String> known = index.paths().subList(0, fixed);
        List<String> following = new ArrayList<>(index.paths().subList(fixed, index.paths().size()));
        following.add("_id");
        int direction = 0;
        int next = 0;
        for (String path : orderBy.keySet()) {
            int wanted = ((Number) orderBy.get(path)).intValue();
            if (known.contains(path)) {
                continue;
            }
            if (next == following.size() || !path.equals(following.get(next++)) || wanted * direction < 0) {
                return 0;
            }
            direction = wanted;
        }
        return direction;
    }

    private static List<Object> with(List<Object> start, Object value) {
        if (value == null) {
            return start;
        }
        List<Object> longer = new ArrayList<>(start);
        longer.add(value);
        return longer;
    }
}
