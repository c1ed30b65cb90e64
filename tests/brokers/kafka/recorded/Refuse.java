// Prints what Apache Kafka answers to a request that it refuses with a code.
// Standard input: lines of API key, version and the request in hex; output: the same with the answer.
// javac -cp "LIB/*" Refuse.java && java -cp "LIB/*:." Refuse 6 < requests.txt
import java.io.*; import java.nio.ByteBuffer; import java.util.*;
import org.apache.kafka.common.protocol.*; import org.apache.kafka.common.requests.*;
public class Refuse {
  public static void main(String[] a) throws Exception {
    HexFormat hex = HexFormat.of();
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    for (String line; (line = in.readLine()) != null; ) {
      String[] w = line.split(" ");
      short version = Short.parseShort(w[1]);
      String out;
      try {
        ApiKeys key = ApiKeys.forId(Integer.parseInt(w[0]));
        ByteBuffer body = ByteBuffer.wrap(w.length > 2 ? hex.parseHex(w[2]) : new byte[0]);
        AbstractRequest request = AbstractRequest.parseRequest(key, version, new ByteBufferAccessor(body)).request;
        Throwable error = Errors.forCode(Short.parseShort(a[0])).exception("refused");
        AbstractResponse response = request.getErrorResponse(0, error);
        if (response == null) out = "null";
        else { ByteBuffer b = MessageUtil.toByteBufferAccessor(response.data(), version).buffer(); byte[] bytes = new byte[b.remaining()]; b.get(bytes); out = hex.formatHex(bytes); }
      } catch (Throwable e) { out = "! " + e; }
      System.out.println(w[0] + " " + w[1] + " " + out);
    }
  }
}
