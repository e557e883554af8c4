import de.bwaldvogel.mongo.backend.ValueComparator;
import de.bwaldvogel.mongo.bson.Document;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What every match of a query fulfils on one path, as far as an index can use it.
 *
 * <p>An index only narrows: each candidate is still matched against the whole query. Whatever is not understood here,
 * and every comparison with null, is left out, which makes the candidates more and never fewer.
 */
final class Bounds {
    static final Comparator<Object> ORDER = ValueComparator.ascWithoutListHandling();

    private final List<Object> lows = new ArrayList<>();
    private final List<Object> highs = new ArrayList<>();
    private List<Object> values;

    private Bounds() {}

    /** Reads the query's own conditions and those of its {@code $and}, by path. */
    static Map<String, Bounds> of(Document query) {
        Map<String, Bounds> found = new HashMap<>();
        collect(query, found);
        return found;
    }

    /** The values one of which is there, or null when the query does not say. */
    List<Object> values() {
        return values;
    }

    /** The lowest value that is asked for, or null. */
    Object low() {
        return lows.stream().max(ORDER).orElse(null);
    }

    /** The highest value that is asked for, or null. */
    Object high() {
        return highs.stream().min(ORDER).orElse(null);
    }

    /** The only bound, where there is one only: an array may fulfil each of several by another element. */
    Bounds single() {
        Bounds one = new Bounds();
        if (!lows.isEmpty()) {
            one.lows.add(lows.get(0));
        } else if (!highs.isEmpty()) {
            one.highs.add(highs.get(0));
        }
        return one;
    }

    private static void collect(Document query, Map<String, Bounds> found) {
        query.forEach((path, condition) -> {
            if (path.equals("$and")) {
                ((Collection<?>) condition).forEach(part -> collect((Document) part, found));
            } else if (!path.startsWith("$")) {
                found.computeIfAbsent(path, any -> new Bounds()).add(condition);
            }
        });
    }

    private void add(Object condition) {
        if (condition instanceof Document operators) {
            operators.forEach(this::add);
        } else {
            add("$eq", condition);
        }
    }

    private void add(String operator, Object operand) {
        if (operator.equals("$eq") && isScalar(operand)) {
            limit(List.of(operand));
        } else if (operator.equals("$in") && operand instanceof Collection<?> several) {
            limit(several);
        } else if (operator.equals("$elemMatch") && operand instanceof Document element) {
            add("$eq", element.get("$eq"));
        } else if (operator.startsWith("$gt") && isScalar(operand)) {
            lows.add(operand);
        } else if (operator.startsWith("$lt") && isScalar(operand)) {
            highs.add(operand);
        }
    }

    private void limit(Collection<?> allowed) {
        if (allowed.stream().allMatch(Bounds::isScalar) && (values == null || allowed.size() < values.size())) {
            values = List.copyOf(allowed);
        }
    }

    private static boolean isScalar(Object value) {
        return value instanceof String || value instanceof Number || value instanceof Boolean;
    }
}
